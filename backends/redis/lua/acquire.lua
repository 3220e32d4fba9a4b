-- Grants a request, or queues it, or refuses it. Repeated with the same id it has the same result: a request that was
-- granted keeps its token, and has its whole time to live again; one that waits keeps its place.
--
-- keys     H, Q, D of the name
-- args     3 name, 4 id, 5 "wait" or "try", 6 kind, 7 capacity, 8 weight, 9 tokens, 10 time to live, 11 owner,
--          12 id of a grant to be released first, or "", 13 mark of the grant, see common.lua: "h" or "s",
--          14 life and secret of a waiter, see common.lua
-- result   {GRANTED, first token, tokens, contended}, or the first token alone: there are as many as were asked for, and nobody
--          else waits
--          {QUEUED, 1 if it was not in the queue before, time to the next deadline or -1, now}
--          {BUSY} for a try, {GIVEN_UP}, {MISMATCH, kind, capacity}, {FOREIGN}, {VERSION}
--          {LOST} if the grant to be released had ended: then nothing was asked for
-- clock    TIME

local name, id, kind, capacity = ARGV[3], ARGV[4], ARGV[6], tonumber(ARGV[7])
local weight, tokens, life, owner = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11]
local after, mark, slip = ARGV[12], ARGV[13], ARGV[14]
local me = clientOf(id)

local bad = open(1, id)
if bad then return { bad } end
prune(id)
if after ~= '' and not S.g and not S.w then -- else this is repeated, and the first call has released it
  local g
  if S.i == '0' then g = redis.call('HGET', H, 'g:' .. after) else g = S.m and S.m.id == after and S.m.g end
  if g then
    free(after, g)
    S.r = after
  elseif S.r ~= after then
    pump()
    save(name)
    return { LOST }
  end
end
if S.x or S.r == id then -- given up, or released: this is a late copy of an acquire that is over
  pump()
  save(name)
  return { GIVEN_UP }
end
if S.w then
  local c = client(me)
  c.till, c.dirty = now + alive, true
  S.e = math.max(S.e, now + alive)
end
pump(id)

if S.g then -- a repeated request, or one whose message did not do
  local first, n = string.match(S.g, '^%a%d+ (%d+) (%d+)')
  keep(id, mark .. string.sub(S.g, 2), now + life)
  local others = contended(me)
  save(name)
  return { GRANTED, first, n, others }
end

if S.u == 0 and S.q == 0 then
  S.k, S.c = kind, capacity
elseif S.k ~= kind or S.c ~= capacity then
  save(name)
  return { MISMATCH, S.k, text(S.c) }
end

if S.q == 0 and fits(weight) then
  local _, first = grant(id, weight, tokens, life, owner, mark)
  save(name)
  return { GRANTED, text(first), text(tokens), 0 }
end
if ARGV[5] == 'try' then
  save(name)
  return { BUSY }
end

local new = 0
if not S.w then
  new = 1
  local c = client(me)
  c.n, c.till, c.dirty = c.n + 1, now + alive, true
  S.s, S.q, S.e = S.s + 1, S.q + 1, math.max(S.e, now + alive)
  written['w:' .. id] = text(weight) .. ' ' .. text(tokens) .. ' ' .. mark .. slip .. ' ' .. text(now) .. ' ' .. owner
  redis.call('ZADD', Q, text(S.s), id)
  if c.n == 1 then
    for _, h in ipairs(holders(AT_ONCE)) do
      local whose = clientOf(h)
      local told = mail[whose] and mail[whose].g -- of its grant, and with it that others wait
      if whose ~= me and not told and listens(h) then tell(whose, 'c') end
    end
  end
end
save(name)
return { QUEUED, new, text(due()), text(now) }
