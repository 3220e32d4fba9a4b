-- Says that a client with waiters is alive, lets the queues move up, and tells how requests and grants stand.
-- A name that cannot be handled does not keep the others from it. Where nothing has changed, look.lua answers.
--
-- keys     H, Q, D of each name
-- args     2 client; from 3, for each name: name, "1" if the client has waiters there, "2" if it holds nothing there
--          either, and knows of no deadline that has passed, else "0"; how many ids, their numbers
-- result   for each name {time to the next deadline or -1, contended, now, then for each id: BUSY unknown, GRANTED,
--          TRIED if a try has found it held, or QUEUED}, or now alone if all that were asked for are queued, or the text of an error, see state.lua
-- clock    TIME

local function heartbeat(i, at, n)
  open(i * 3 - 2, '')
  prune('')
  local c = client(me)
  if ARGV[at + 1] ~= '0' and c.n > 0 then c.till, c.dirty = now + alive, true end
  pump()
  local r = { '', contended(me), text(now) }
  save(ARGV[at])
  r[1] = text(due())
  for j = 1, n do
    local id = me .. '-' .. ARGV[at + 2 + j]
    local f = redis.call('HMGET', H, 'g:' .. id, 'w:' .. id)
    local g = f[1] and grantOf('g:' .. id, f[1]) or S.m and S.m.id == id and S.m
    r[3 + j] = g and (string.find(g.mark, '[TU]') and TRIED or GRANTED) or f[2] and QUEUED or BUSY
  end
  return r
end

for _, name in ipairs(left) do
  local ok, r = pcall(heartbeat, unpack(name))
  results[name[1]] = ok and r or type(r) == 'table' and r.err or tostring(r)
end
return results
