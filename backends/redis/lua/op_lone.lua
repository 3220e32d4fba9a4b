-- Releases grants that were alone and that nobody waits for, and requests names that nobody uses:
-- what op.lua would do, without the price of its general rules, or even of base.lua and short.lua,
-- which come after it. It does all of that, or leaves it all to them. Of a lone grant it writes m
-- alone, from which open derives u.
--
-- Keys, args, result and clock are those of op.lua. Each call, field, argument, new string and
-- function counts here. So there are no functions, and to format a number takes as long as to read
-- two fields, so the time is put together from what the clock says.
do
  local call, find, match, KEYS, ARGV = redis.call, string.find, string.match, KEYS, ARGV
  local at, clock, now, since = 2, nil, nil, nil
  -- Of several names: what is to be written, the answers, and the keys that must not exist.
  local plans, rows, empty
  for i = 1, #KEYS, 3 do
    -- What is to be written of the name: m, and r, t and p unless they stay; and the first token.
    -- Without an m, the name is left to others. If there is a t, Q and D must not exist.
    local H, id, m, r, t, first, expires = KEYS[i], ARGV[at + 1], nil, nil, nil, nil, nil
    local kind, free = string.byte(id), nil
    if kind == 82 then -- R: a release
      free, at = string.sub(id, 2), at + 1
      id = ARGV[at + 1] or ''
      kind = string.byte(id)
    end
    if kind and kind > 57 and kind < 97 then break end -- a capital: more is given back
    -- An m with a grant in it says by itself that d is 0, and of which version it is.
    local f = kind and call('HMGET', H, 'm', 'q', 'p', 'v', 'd', 'k', 'c', 'r', 't', 'u', 's')
      or call('HMGET', H, 'm', 'q')
    local whose, begun, till = f[1], nil, nil
    if not whose or f[2] ~= '0' then break end
    if not now then
      clock = call('TIME')
      now = clock[1] * 1000000 + clock[2]
    end
    if free then
      if find(whose, free, 1, true) ~= 1 then break end
      till, begun = match(whose, '^ (%d+) [^kd]%d+ %d+ %d+ (%d+)', #free + 1)
      if not till or till - now <= 0 then break end
      whose = ''
    end
    if not kind then
      at = at + 2
      -- The key of a name out of use stays for ten minutes at most. That of a grant of no more than
      -- five does, see expiry in base.lua, so p need not be looked at.
      if not free or till - begun > 300000000 then break end
      m, r = '', free
    else
      local kind, capacity, weight, tokens, life, mark =
        match(ARGV[at + 2], '^(%d+) (%d+) (%d+) (%d+) (%d+) (%a)')
      local last, u, s = f[9], f[10], f[11]
      r = free or f[8]
      local p = tonumber(f[3])
      if f[4] ~= '4' or f[5] ~= '0' or not p or whose ~= '' or not r or r == id
        or f[6] ~= kind or f[7] ~= capacity or not find(f[3], '^%d+$') or p > 9007199254740991
        or not last or not find(last, '^%d+$')
        or not u or u ~= '1' and (not find(u, '^%d+$') or #u > 15)
        or not s or s ~= '0' and (not find(s, '^%d+$') or #s > 15) then break end
      if not since then
        since = #clock[2] == 6 and clock[1] .. clock[2]
          or clock[1] .. string.rep('0', 6 - #clock[2]) .. clock[2]
      end
      local token = since
      first, till = last + 1, now + life
      if first > now then token = string.format('%.0f', first) else first = now end
      last = first + tokens - 1
      if last >= 4503599627370496 then break end
      t, r = tokens == '1' and token or string.format('%.0f', last), free
      local us = till % 1000000
      m = id .. ' ' .. string.format('%d%06d', (till - us) / 1000000, us) .. ' ' .. mark .. weight
        .. ' ' .. token .. ' ' .. tokens .. ' ' .. since .. ' ' .. ARGV[at + 4]
      at = at + 5
      -- When the key expires, see expiry in base.lua.
      local far = math.max(till, last)
      local best = math.max(now + 600000000, far + 300000000)
      if p - far < 300000000 or p > best then expires = best end
    end
    if #KEYS == 3 and not expires then -- the usual case makes no tables
      if not t then
        call('HSET', H, 'm', '', 'r', r)
        return 1
      end
      if call('EXISTS', KEYS[2], KEYS[3]) > 0 then break end
      if r then call('HSET', H, 'm', m, 't', t, 'r', r) else call('HSET', H, 'm', m, 't', t) end
      return r and { 1, first } or first
    end
    if not plans then plans, rows, empty = {}, {}, {} end
    local n = { H, 'm', m, r and 'r' or 't', r or t, t and 't', t }
    plans[#plans + 1] = n
    if expires then
      n[#n + 1], n[#n + 2] = 'p', string.format('%.0f', expires)
      n.expires = string.format('%.0f', math.floor(expires / 1000))
    end
    if r then rows[#rows + 1] = 1 end
    if t then
      rows[#rows + 1] = first
      empty[#empty + 1], empty[#empty + 2] = KEYS[i + 1], KEYS[i + 2]
    end
  end

  if plans and #plans == #KEYS / 3 and (#empty == 0 or call('EXISTS', unpack(empty)) == 0) then
    for _, n in ipairs(plans) do
      call('HSET', unpack(n))
      if n.expires then call('PEXPIREAT', n[1], n.expires) end
    end
    return rows
  end
end
