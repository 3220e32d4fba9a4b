-- Ends every grant of a name, whoever holds it, and lets the queue move up.
--
-- keys     H, Q, D of the name
-- args     4 name
-- result   {how many grants were ended}, {FOREIGN}, {VERSION}
-- clock    TIME

local name = ARGV[4]
local bad = open(1, '')
if bad then return { bad } end
prune('')

local n = 0
for _, m in ipairs(redis.call('ZRANGE', D, 0, -1)) do
  if string.sub(m, 1, 1) == 'g' then
    local id = string.sub(m, 3)
    tell(clientOf(id), 'b')
    free(id, redis.call('HGET', H, m) or '')
    n = n + 1
  end
end
S.u = 0
pump()
save(name)
return { n }
