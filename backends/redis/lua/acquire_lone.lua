-- Grants a request for a name that nobody uses: what acquire.lua would do, without the price of its general rules, or even of
-- base.lua and short.lua, which come after it. Of a lone grant it writes m alone, from which open derives i, u and e.
-- Keys, args, result and clock are those of acquire.lua, to which it leaves everything else. To format a number takes as long as
-- to read two fields, so the time is put together from what the clock says.
do
  local f = redis.call('HMGET', KEYS[1], 'v', 'i', 'q', 'm', 'k', 'c', 't', 'r', 'p')
  if f[4] == '' and f[1] == '3' and f[2] ~= '0' and f[3] == '0' and f[5] == ARGV[6] and f[6] == ARGV[7]
    and f[8] ~= ARGV[4] and ARGV[12] == '' then
    local clock, tokens = redis.call('TIME'), ARGV[9]
    local now, since = clock[1] * 1000000 + clock[2], clock[1] .. string.rep('0', 6 - #clock[2]) .. clock[2]
    local first, token, till = f[7] + 1, since, now + ARGV[10]
    if first > now then token = string.format('%.0f', first) else first = now end
    local last = first + tokens - 1
    if last < 4503599627370496 then
      local t = tokens == '1' and token or string.format('%.0f', last)
      local m = ARGV[4] .. ' ' .. string.format('%.0f', till) .. ' ' .. ARGV[13] .. ARGV[8] .. ' ' .. token .. ' ' .. tokens .. ' '
        .. since .. ' ' .. ARGV[11]
      local far = math.max(till, last)
      if (tonumber(f[9]) or 0) - far < 300000000 then -- when the key expires: it is moved only if it is half used up
        local p = far + 600000000
        redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', p / 1000))
        redis.call('HSET', KEYS[1], 't', t, 'm', m, 'p', string.format('%.0f', p))
      else
        redis.call('HSET', KEYS[1], 't', t, 'm', m)
      end
      return first
    end
  end
end

