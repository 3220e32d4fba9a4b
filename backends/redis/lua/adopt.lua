-- Gives a detached grant to a client, under a new id. At no moment are its permits free.
--
-- keys     H, Q, D of the name
-- args     2 name, 3 id of the grant as it was detached, 4 proof, 5 id of the request; 6 kind,
--          capacity, weight, tokens, time to live, and mark and life, as of a request in op.lua;
--          7 owner
-- result   {GRANTED, token, contended}, also when that is repeated, or BUSY if there is no such grant
-- errors   see state.lua
-- clock    TIME

local id = ARGV[5]
local kind, capacity, weight, _, life, mark = string.match(ARGV[6], WANT)
open(1, id)
prune(id)

-- adopted returns the grant if it is to be the request's own, and whether it is already.
local function adopted()
  if S.x then return nil end -- given up: this is a late copy
  if S.g then -- repeated
    return S.g.till > now and not string.find(S.g.mark, NOBODYS) and S.g, true
  end
  local old = heldBy(ARGV[3])
  if not old or old.mark ~= 'd' or S.k ~= kind or text(S.c) ~= capacity or text(old.weight) ~= weight then
    return nil
  end
  local seal, till = sealOf(old)
  if seal ~= redis.sha1hex(ARGV[4]) or till <= now then return nil end
  if S.d > 0 then drop('g:' .. ARGV[3]) end
  old.rest = string.match(old.rest, '^ %d+ ') .. ARGV[7]
  return old
end

local g, own = adopted()
if g and own then
  keep(id, g, now + life)
elseif g then
  reassign(id, g, string.sub(mark, 1, 1), now + life)
end
pump()
local others = contended(clientOf(id))
save(ARGV[2])
return g and { GRANTED, g.first, others } or BUSY
