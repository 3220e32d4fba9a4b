-- Releases grants that were alone and that nobody waits for, and requests names that nobody uses:
-- what op.lua would do, without the price of its general rules, or even of base.lua and short.lua,
-- which come after it. It does all of that, or leaves it all to them. Of a lone grant it writes m
-- alone, from which open derives u.
--
-- Keys, args, result and clock are those of op.lua. To format a number takes as long as to read two
-- fields, so the time is put together from what the clock says.
local at, now, since = 4, nil, nil

local function tell_time()
  local clock = redis.call('TIME')
  now, since = clock[1] * 1000000 + clock[2], clock[1] .. string.rep('0', 6 - #clock[2]) .. clock[2]
end

-- plan returns what is to be written of a name: m, and r, t and p unless they stay; and the first
-- token. It returns nil for a name that it leaves to others. If there is a t, Q and D must not exist.
local function plan(H)
  local id, free, f = ARGV[at + 1], nil, nil
  local kind = string.byte(id)
  if kind == 82 then -- R: a release
    free, at = string.sub(id, 2), at + 1
    id = ARGV[at + 1] or ''
    kind = string.byte(id)
  end
  if kind and kind > 57 and kind < 97 then return nil end -- a capital: more is given back
  if id == '' then
    f = redis.call('HMGET', H, 'v', 'd', 'q', 'm', 'p')
  else
    f = redis.call('HMGET', H, 'v', 'd', 'q', 'm', 'p', 'k', 'c', 'r', 't', 'u', 's')
  end
  local m, p = f[4], tonumber(f[5])
  if not p or not m or f[1] ~= '4' or f[2] ~= '0' or f[3] ~= '0' then return nil end
  if not now then tell_time() end
  if free then
    if string.sub(m, 1, #free + 1) ~= free .. ' ' then return nil end
    local till = string.match(m, '^%d+', #free + 2)
    if not till or till - now <= 0 then return nil end
    m = ''
  end
  if id == '' then
    at = at + 2
    -- The key of a name out of use stays for ten minutes at most.
    if not free or p - now > 600000000 then return nil end
    return m, free
  end
  local tokens, t, till = ARGV[at + 5], f[9], now + ARGV[at + 6]
  local r = free or f[8]
  if m ~= '' or not r or r == id or f[6] ~= ARGV[at + 2] or f[7] ~= ARGV[at + 3]
    or not (t and f[10] and f[11] and string.find(t .. ' ' .. f[5] .. ' ' .. f[10] .. ' ' .. f[11], '^%d+ %d+ %d+ %d+$'))
    or t + p + f[10] + f[11] >= 9007199254740992 then return nil end -- one of them is absurd
  local first, token = t + 1, since
  if first > now then token = string.format('%.0f', first) else first = now end
  local last = first + tokens - 1
  if last >= 4503599627370496 then return nil end
  m = id .. ' ' .. string.format('%.0f', till) .. ' ' .. string.sub(ARGV[at + 7], 1, 1) .. ARGV[at + 4] .. ' '
    .. token .. ' ' .. tokens .. ' ' .. since .. ' ' .. ARGV[at + 8]
  at = at + 9
  local far, expires = math.max(till, last), nil
  if p - far < 300000000 then -- when the key expires, see expiry in base.lua
    expires = math.max(now + 600000000, far + 300000000)
  end
  return m, free, tokens == '1' and token or string.format('%.0f', last), expires, first
end

local function put(H, m, r, t, expires)
  if not t then
    redis.call('HSET', H, 'm', m, 'r', r)
  elseif not r then
    redis.call('HSET', H, 'm', m, 't', t)
  else
    redis.call('HSET', H, 'm', m, 't', t, 'r', r)
  end
  if expires then
    redis.call('HSET', H, 'p', string.format('%.0f', expires))
    redis.call('PEXPIREAT', H, string.format('%.0f', math.floor(expires / 1000)))
  end
end

if #KEYS == 3 then
  local H, Q, D = KEYS[1], KEYS[2], KEYS[3]
  local m, r, t, expires, first = plan(H)
  if m and (not t or redis.call('EXISTS', Q, D) == 0) then
    put(H, m, r, t, expires)
    return not t and 1 or r and { 1, first } or first
  end
else
  local plans, rows, empty = {}, {}, {}
  for i = 1, #KEYS, 3 do
    local m, r, t, expires, first = plan(KEYS[i])
    plans[#plans + 1] = { KEYS[i], m, r, t, expires }
    if not m then
      plans = nil
      break
    end
    if r then rows[#rows + 1] = 1 end
    if t then
      rows[#rows + 1] = first
      empty[#empty + 1], empty[#empty + 2] = KEYS[i + 1], KEYS[i + 2]
    end
  end
  local Q = empty[1]
  if plans and (not Q or redis.call('EXISTS', Q, unpack(empty, 2)) == 0) then
    for _, p in ipairs(plans) do put(p[1], p[2], p[3], p[4], p[5]) end
    return rows
  end
end
