-- Grants a request for a name that nobody uses: what acquire.lua would do, without the price of its general rules, or even of
-- base.lua and short.lua, which come after it. Of a lone grant it writes m alone, from which open derives u.
-- Keys, args, result and clock are those of acquire.lua, to which it leaves everything else. To format a number takes as long as
-- to read two fields, so the time is put together from what the clock says.
do
  local f = redis.call('HMGET', KEYS[1], 'v', 'd', 'q', 'm', 'k', 'c', 't', 'r', 'p', 'u', 's')
  if f[4] == '' and f[1] == '4' and f[2] == '0' and f[3] == '0' and f[5] == ARGV[6] and f[6] == ARGV[7]
    and f[8] and f[8] ~= ARGV[4] and ARGV[12] == '' and f[7] and f[9] and f[10] and f[11]
    and string.find(f[7] .. ' ' .. f[9] .. ' ' .. f[10] .. ' ' .. f[11], '^%d+ %d+ %d+ %d+$')
    and f[7] + f[9] + f[10] + f[11] < 9007199254740992 -- else one of them is absurd
    and redis.call('EXISTS', KEYS[2], KEYS[3]) == 0 then
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
      if f[9] - far < 300000000 then -- when the key expires, see expiry in base.lua
        local p = math.max(now + 600000000, far + 300000000)
        redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', math.floor(p / 1000)))
        redis.call('HSET', KEYS[1], 't', t, 'm', m, 'p', string.format('%.0f', p))
      else
        redis.call('HSET', KEYS[1], 't', t, 'm', m)
      end
      return first
    end
  end
end

