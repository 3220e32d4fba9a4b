-- What a heartbeat finds of names where nothing has changed: it reads a few fields and writes
-- nothing, but when a client's time as alive has run down by three eighths. A name of which
-- anything else is to be said is left to heartbeat.lua.
--
-- Keys, args, result and clock are those of heartbeat.lua. The price of a name counts here: what is read
-- of 50 000 of them is not in the processor's cache. On a quiet machine glimpse takes about a tenth
-- of heartbeat.lua's time, look a half.

local me = ARGV[2]
local mine = 'c:' .. me
local results, left = {}, {} -- left: numbers of the names that are left, and where their args begin

-- seen notes that the client is alive, if it is time.
local function seen(H, count, till)
  if till - now < alive * 5 / 8 then redis.call('HSET', H, mine, count .. ' ' .. text(now + alive)) end
end

-- glimpse returns the time if the client's requests are in the queue, and the hash is there, or nil.
-- It suffices while the next deadline is ahead: a release changes the queue.
local function glimpse(i, at, n)
  local H, Q = KEYS[i * 3 - 2], KEYS[i * 3 - 1]
  local f = redis.pcall('HMGET', H, 'v', mine)
  if f[1] ~= FORMAT or not f[2] then return nil end
  local count, till = string.match(f[2], '^(%d+) (%d+)$')
  if not count then return nil end
  for j = 1, n do
    if type(redis.pcall('ZSCORE', Q, me .. '-' .. ARGV[at + 2 + j])) ~= 'string' then return nil end
  end
  seen(H, count, till)
  return now
end

-- stuck says whether the head of the queue is alive and does not fit into room.
local function stuck(H, Q, room)
  local head = redis.call('ZRANGE', Q, 0, 0)[1]
  if not head then return false end
  local f = redis.call('HMGET', H, 'w:' .. head, 'c:' .. clientOf(head))
  local weight = f[1] and string.match(f[1], '^%d+ (%d+) ')
  local till = f[2] and string.match(f[2], '^%d+ (%d+)$')
  return weight and till and tonumber(weight) > room and tonumber(till) > now
end

-- used returns the permits in use and the next deadline, of a name whose fields are f.
local function used(f, D)
  if redis.pcall('ZCARD', D) ~= tonumber(f[2]) then return nil end
  if f[2] == '0' then
    local till, weight = string.match(f[4], '^%S+ (%d+) %a(%d+) ')
    return tonumber(weight), tonumber(till)
  end
  return tonumber(f[6]), tonumber(redis.call('ZRANGE', D, 0, 0, 'WITHSCORES')[2])
end

-- look returns the row of a name, or nil.
local function look(i, at, n)
  local H, Q = KEYS[i * 3 - 2], KEYS[i * 3 - 1]
  local ids = {}
  for j = 1, n do ids[j] = 'w:' .. me .. '-' .. ARGV[at + 2 + j] end
  local f = redis.pcall('HMGET', H, 'v', 'd', 'q', 'm', 'c', 'u', 'p', 't', 's', mine, unpack(ids))
  if f[1] ~= FORMAT or not f[4] then return nil end
  local waits, capacity, p = tonumber(f[3]), tonumber(f[5]), tonumber(f[7])
  if not waits or not capacity or not p or redis.pcall('ZCARD', Q) ~= waits
    or not string.find(f[8] or '', '^%d+$') or not string.find(f[9] or '', '^%d+$') then return nil end
  local u, till = used(f, KEYS[i * 3])
  if not u or not till or till <= now then return nil end
  if u < capacity and waits > 0 and not stuck(H, Q, capacity - u) then return nil end

  local own = 0
  if f[10] then
    local count, last = string.match(f[10], '^(%d+) (%d+)$')
    if not count or p - now - alive < LINGER / 2 then return nil end
    own = tonumber(count)
    if ARGV[at + 1] ~= '0' then seen(H, count, last) end
  end

  local row = { text(till - now), waits > own and 1 or 0, text(now) }
  for j = 1, n do
    local code = f[10 + j] and 2 or 0
    if code == 0 and f[2] == '0' then
      local id = string.sub(ids[j], 3) .. ' '
      if string.sub(f[4], 1, #id) == id then code = string.find(f[4], '^%S+ %d+ [TU]') and 4 or 1 end
    elseif code == 0 then
      local g = redis.call('HMGET', H, 'g:' .. string.sub(ids[j], 3))[1]
      code = g and (string.find(g, '^%d+ [TU]') and 4 or 1) or 0
    end
    row[3 + j] = code
  end
  return row
end

do
  local at = 3
  for i = 1, #KEYS / 3 do
    local n = tonumber(ARGV[at + 2])
    results[i] = ARGV[at + 1] == '2' and glimpse(i, at, n) or look(i, at, n)
    if not results[i] then left[#left + 1] = { i, at, n } end
    at = at + 3 + n
  end
  if #left == 0 then return results end
end

