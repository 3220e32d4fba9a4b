-- Ends every grant of a name, whoever holds it, and lets the queue move up.
--
-- keys     H, Q, D of the name
-- args     2 name
-- result   {how many grants were ended}
-- errors   see state.lua
-- clock    TIME

local name = ARGV[2]
open(1, '')
prune('')

local grants = holders(0)
for _, g in ipairs(grants) do
  if not string.find(g.mark, NOBODYS) then tell(clientOf(g.id), 'b') end
  free(g.id, g)
end
pump()
save(name)
return { #grants }
