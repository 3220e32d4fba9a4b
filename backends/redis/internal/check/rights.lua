-- Tells which of the commands that locks need the user may not run, or the server does not have. Runs none of them but TIME.
--
-- keys     none: a user who may not touch the keys is to be told so
-- args     1 to 3 keys H, Q, D of a name, which are not touched, 4 channel of the client's inbox
-- result   {the refused commands, now or '0', the commands that do not exist}
-- clock    TIME, in microseconds

local H, Q, D, inbox = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local refused, missing = {}, {}
for _, c in ipairs({
  { 'time' }, { 'hmget', H, 'f' }, { 'hset', H, 'f', 'v' }, { 'hget', H, 'f' }, { 'hgetall', H }, { 'hlen', H },
  { 'hdel', H, 'f' }, { 'zadd', Q, '1', 'm' }, { 'zrem', Q, 'm' }, { 'zcard', Q }, { 'zscore', D, 'm' },
  { 'zrange', Q, '0', '0' }, { 'zrangebyscore', D, '0', '0' }, { 'pexpireat', H, '1' }, { 'del', Q, D }, { 'exists', Q, D },
  { 'evalsha', '0', '1', H }, { 'publish', inbox, '' }, { 'subscribe', inbox }, { 'unsubscribe', inbox }, { 'scan', '0' },
  { 'wait', '0', '0' },
}) do
  local exists, may = pcall(redis.acl_check_cmd, unpack(c))
  if not exists then missing[#missing + 1] = c[1] elseif not may then refused[#refused + 1] = c[1] end
end
local known, clock = pcall(redis.call, 'TIME')
return { refused, known and string.format('%.0f', clock[1] * 1000000 + clock[2]) or '0', missing }
