-- Gives back what an id has, a grant or a place in the queue, and lets the queue move up.
--
-- keys     H, Q, D of the name
-- args     3 name, 4 id
--          5 "release": of a grant; "cancel": of whatever there is;
--            "forbid": the same, and an acquire that may still be on its way, the first or a repeated one, has no effect
--          6 how long to forbid it
-- result   {1}, or 1 alone: given back, also when a release is repeated; {0} there was nothing
-- errors   see state.lua
-- clock    TIME

local name, id, how = ARGV[3], ARGV[4], ARGV[5]
open(1, id)
prune(id)

local had = 0
if S.g then
  had = 1
  free(id, S.g)
  if how == 'release' then S.r = id end
elseif how == 'release' then
  if S.r == id then had = 1 end
elseif S.w then
  had = 1
  unqueue(id)
end
if how == 'forbid' then forbid(id, now + tonumber(ARGV[6])) end
pump()
save(name)
return { had }
