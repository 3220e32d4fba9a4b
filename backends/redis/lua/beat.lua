-- Says that a client with waiters is alive, lets the queues move up, and tells how requests and grants stand.
-- A name that cannot be handled does not keep the others from it.
--
-- keys     H, Q, D of each name
-- args     4 client; from 5, for each name: name, 1 if the client has waiters there, how many ids, their numbers
-- result   for each name {time to the next deadline or -1, contended, then for each id: BUSY unknown, GRANTED held,
--          QUEUED, or GIVEN_UP for an offer to be claimed}, or {FOREIGN}, {VERSION}, or the text of an error
-- clock    TIME

local me, at = ARGV[4], 5

local function beat(i, name, waits, from, n)
  local bad = open(i * 3 - 2, '')
  if bad then return { bad } end
  prune('')
  local c = client(me)
  if waits == '1' and c.n > 0 then
    c.till, c.dirty = now + alive, true
    S.e = math.max(S.e, now + alive)
  end
  pump()
  local r = { '', contended(me) }
  for j = from, from + n - 1 do
    local id = me .. '-' .. ARGV[j]
    local f = redis.call('HMGET', H, 'g:' .. id, 'w:' .. id)
    local g = written['g:' .. id] or f[1]
    if S.m and S.m.id == id then g = S.m.g end
    if g then
      r[#r + 1] = string.sub(g, 1, 1) == 'o' and GIVEN_UP or GRANTED
    else
      r[#r + 1] = f[2] and QUEUED or BUSY
    end
  end
  save(name)
  r[1] = text(due())
  return r
end

local results = {}
for i = 1, #KEYS / 3 do
  local n = tonumber(ARGV[at + 2])
  local ok, r = pcall(beat, i, ARGV[at], ARGV[at + 1], at + 3, n)
  local err = not ok and (type(r) == 'table' and r.err or tostring(r))
  -- A replica refuses all names. The client has to see that as its answer, to look for the primary elsewhere.
  if err and string.sub(err, 1, 8) == 'READONLY' then return redis.error_reply(err) end
  results[i] = err or r
  at = at + 3 + n
end
return results
