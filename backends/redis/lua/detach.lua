-- Takes a grant from its client. It belongs to no client then, until one adopts it or its time is
-- over. What stays taken for longer can not be adopted after that time.
--
-- keys     H, Q, D of the name
-- args     2 name, 3 id of the grant, 4 how long it waits for an adopter, 5 how long after the grant
--          its permits stay taken at least, 6 the token that stays, 7 seal: the SHA-1 of the proof
-- result   GRANTED, also when that is repeated, or BUSY if the grant has ended
-- errors   see state.lua
-- clock    TIME

local id, span, seal = ARGV[3], tonumber(ARGV[4]), ARGV[7]
open(1, id)
prune(id)

-- sealed makes the grant a detached one, and says whether it is.
local function sealed(g)
  if not g or g.till <= now or g.mark == 'k' then return false end
  if g.mark == 'd' then return sealOf(g) == seal end
  g.first, g.n = ARGV[6], '1'
  g.rest = string.gsub(g.rest, '^( %d+ )', '%1' .. seal .. ':' .. text(now + span) .. ' ', 1)
  reassign(id, g, 'd', math.max(now + span, least(g, ARGV[5])))
  return true
end

local done = sealed(S.g)
pump()
save(ARGV[2])
return done and GRANTED or BUSY
