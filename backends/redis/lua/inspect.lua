-- Tells who holds a name and who waits for it. Changes nothing.
--
-- keys     H, Q, D of the name
-- args     none of its own
-- result   {now, fields of H and their values, members of D and their deadlines, ids in the queue}, {FOREIGN}, {VERSION}
-- clock    TIME

local bad = open(1, '')
if bad then return { bad } end
return { text(now), redis.call('HGETALL', H), redis.call('ZRANGE', D, 0, -1, 'WITHSCORES'), redis.call('ZRANGE', Q, 0, -1) }
