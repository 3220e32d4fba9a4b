-- Gives back what an id has, a grant or a place in the queue, and lets the queue move up.
--
-- keys     H, Q, D of the name
-- args     3 name, 4 id
--          5 "release": of a grant; "cancel": of whatever there is;
--            "forbid": the same, and an acquire that may still be on its way, the first or a repeated one, has no effect
--          6 how long to forbid it
-- result   {1}, or 1 alone: given back, also when a release is repeated; {0} there was nothing; {FOREIGN}, {VERSION}
-- clock    TIME

local name, id, how = ARGV[3], ARGV[4], ARGV[5]
local bad = open(1, id)
if bad then return { bad } end
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
if how == 'forbid' then
  local till = now + tonumber(ARGV[6])
  many()
  redis.call('ZADD', D, text(till), 'x:' .. id)
  written['x:' .. id], changed = '1', true
  S.e = math.max(S.e, till)
end
pump()
save(name)
return { had }
