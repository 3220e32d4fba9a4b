-- Says that a client with waiters is alive, lets the queues move up, and tells how requests and grants stand.
-- A name that cannot be handled does not keep the others from it.
--
-- keys     H, Q, D of each name
-- args     3 client; from 4, for each name: name, 1 if the client has waiters there, how many ids, their numbers
-- result   for each name {time to the next deadline or -1, contended, now, then for each id: BUSY unknown, GRANTED, or
--          QUEUED}, or {FOREIGN}, {VERSION}, or the text of an error
-- clock    TIME

local me, at = ARGV[3], 4

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
  local r = { '', contended(me), text(now) }
  for j = from, from + n - 1 do
    local id = me .. '-' .. ARGV[j]
    local f = redis.call('HMGET', H, 'g:' .. id, 'w:' .. id)
    local held = written['g:' .. id] or f[1] or S.m and S.m.id == id
    r[#r + 1] = held and GRANTED or f[2] and QUEUED or BUSY
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
  results[i] = err or r
  at = at + 3 + n
end
return results
