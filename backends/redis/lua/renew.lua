-- Prolongs grants and reserves more tokens for them. Never brings one back that has ended. A name that cannot be
-- handled does not keep the others from it.
--
-- keys     H, Q, D of each name
-- args     from 2, for each name: id, time to live, tokens (0: none)
-- result   for each name {GRANTED, first token or "0", contended}, {BUSY} if the grant has ended, or the text of an
--          error, see state.lua
-- clock    TIME

local function renew(i)
  local at = 2 + (i - 1) * 3
  local id, life, tokens = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  open(i * 3 - 2, id)
  if S.torn then mend() end
  if not S.g or S.g.till <= now or string.find(S.g.mark, NOBODYS) then return { BUSY } end
  keep(id, S.g, now + life)
  local first = 0
  if tokens > 0 then
    first = math.max(S.t + 1, now)
    S.t = first + tokens - 1
    if S.t > LARGEST then damaged('t') end
  end
  local others = contended(clientOf(id))
  save('')
  return { GRANTED, text(first), others }
end

local results = {}
for i = 1, #KEYS / 3 do
  local ok, r = pcall(renew, i)
  local err = not ok and (type(r) == 'table' and r.err or tostring(r))
  results[i] = err or r
end
return results
