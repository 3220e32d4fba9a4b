-- Tells who holds a name and who waits for it. Changes nothing.
--
-- keys     H, Q, D of the name
-- args     none of its own
-- result   {now, fields of H and their values}
-- errors   see state.lua
-- clock    TIME

open(1, '')
return { text(now), redis.call('HGETALL', H) }
