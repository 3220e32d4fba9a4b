-- Grants a request for a name that nobody uses: what acquire.lua would do, without the price of its general rules, or even of
-- base.lua and short.lua, which come after it. Of a lone grant it writes m alone, from which open derives i, u and e.
-- Keys, args, result and clock are those of acquire.lua, to which it leaves everything else.
do
  local f = redis.call('HMGET', KEYS[1], 'v', 'i', 'q', 'm', 'k', 'c', 't', 'r', 'p')
  if f[4] == '' and f[1] == '2' and f[2] ~= '0' and f[3] == '0' and f[5] == ARGV[7] and f[6] == ARGV[8]
    and f[8] ~= ARGV[5] and ARGV[13] == '' then
    local clock, tokens = redis.call('TIME'), ARGV[10]
    local now = clock[1] * 1000000 + clock[2]
    local first, till = math.max(f[7] + 1, now), now + ARGV[11]
    local last = first + tokens - 1
    if first < 4503599627370496 then
      local token = string.format('%.0f', first)
      local t = tokens == '1' and token or string.format('%.0f', last)
      local m = string.format('%s %.0f %s%s %s %s %.0f %s', ARGV[5], till, ARGV[14], ARGV[9], token, tokens, now, ARGV[12])
      local far = math.max(till, last)
      if (tonumber(f[9]) or 0) - far < 300000000 then -- when the key expires: it is moved only if it is half used up
        local p = far + 600000000
        redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', p / 1000))
        redis.call('HSET', KEYS[1], 't', t, 'm', m, 'p', string.format('%.0f', p))
      else
        redis.call('HSET', KEYS[1], 't', t, 'm', m)
      end
      return { 1, token, tokens, 0 }
    end
  end
end

