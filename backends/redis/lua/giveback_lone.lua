-- Releases a grant that was alone and that nobody waits for: what giveback.lua would do, without the price of its general
-- rules. Keys, args, result and clock are those of giveback.lua, to which it leaves everything else.
do
  local f = redis.call('HMGET', KEYS[1], 'v', 'd', 'q', 'm', 'p')
  local id, m, p = ARGV[4], f[4], tonumber(f[5])
  if m and p and f[1] == '4' and f[2] == '0' and f[3] == '0' and ARGV[5] == 'release' and string.sub(m, 1, #id + 1) == id .. ' ' then
    local clock = redis.call('TIME')
    local till = string.match(m, '^%d+', #id + 2)
    -- The key of a name out of use stays for ten minutes at most.
    if till and till - clock[2] > clock[1] * 1000000 and p - clock[2] <= clock[1] * 1000000 + 600000000 then
      redis.call('HSET', KEYS[1], 'm', '', 'r', id)
      return 1
    end
  end
end

