-- Ends every grant of a name, whoever holds it, and lets the queue move up.
--
-- keys     H, Q, D of the name
-- args     3 name
-- result   {how many grants were ended}, {FOREIGN}, {VERSION}
-- clock    TIME

local name = ARGV[3]
local bad = open(1, '')
if bad then return { bad } end
prune('')

local ids = holders(0)
for _, id in ipairs(ids) do
  tell(clientOf(id), 'b')
  free(id, S.m and S.m.g or redis.call('HGET', H, 'g:' .. id) or '')
end
S.u = 0
pump()
save(name)
return { #ids }
