-- Grants a request for a name that nobody uses: what acquire.lua would do, without the price of its general rules.
-- Keys, args, result and clock are those of acquire.lua, to which it leaves everything else.
do
  local f = redis.call('HMGET', KEYS[1], 'v', 'i', 'q', 't', 'r', 'p')
  if f[1] == '1' and f[2] == '1' and f[3] == '0' and f[5] ~= ARGV[5] then
    local clock, text = redis.call('TIME'), string.format
    local now, tokens = clock[1] * 1000000 + clock[2], ARGV[10]
    local first, till = math.max(f[4] + 1, now), now + ARGV[11]
    if first < 4503599627370496 then
      local token, last = text('%.0f', first), first + tokens - 1
      local p = tonumber(f[6]) or 0 -- when the key expires: it is moved only if it is half used up
      local far = math.max(till, last)
      if p < far + 300000000 then
        p = far + 600000000
        redis.call('PEXPIREAT', KEYS[1], text('%.0f', p / 1000))
      end
      redis.call('HSET', KEYS[1], 'i', '2', 'k', ARGV[7], 'c', ARGV[8], 'u', ARGV[9], 't', text('%.0f', last),
        'e', text('%.0f', till), 'p', text('%.0f', p), 'm',
        text('%s %.0f h%s %s %s %.0f %s', ARGV[5], till, ARGV[9], token, tokens, now, ARGV[12]))
      return { 1, token, tokens, 0 }
    end
  end
end

