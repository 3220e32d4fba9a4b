-- Grants a request, or queues it, or refuses it. Repeated with the same id it has the same result: a request that was
-- granted keeps its token, and has its whole time to live again; one that waits keeps its place.
--
-- keys     H, Q, D of the name
-- args     3 name, 4 id, 5 "wait" or "try", 6 kind, 7 capacity, 8 weight, 9 tokens, 10 time to live, 11 owner,
--          12 id of a grant to be released first, or "", 13 mark of the grant, see state.lua: "h" or "s",
--          14 life and secret of a waiter, see state.lua
-- result   {GRANTED, first token, tokens, contended}, or the first token alone: there are as many as were asked for, and nobody
--          else waits
--          {QUEUED, 1 if it was not in the queue before, time to the next deadline or -1, now}
--          {BUSY} for a try, {GIVEN_UP}, {MISMATCH, kind, capacity}
--          {LOST} if the grant to be released had ended: then nothing was asked for
-- errors   see state.lua
-- clock    TIME

local name, id, kind, capacity = ARGV[3], ARGV[4], ARGV[6], tonumber(ARGV[7])
local weight, tokens, life, owner = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11]
local after, mark, slip = ARGV[12], ARGV[13], ARGV[14]
local me = clientOf(id)

open(1, id)
prune(id)
if after ~= '' and not S.g and not S.w then -- else this is repeated, and the first call has released it
  local g = S.m
  if S.d > 0 then
    local v = not gone['g:' .. after] and redis.call('HGET', H, 'g:' .. after)
    g = v and grantOf('g:' .. after, v)
  elseif g and g.id ~= after then
    g = nil
  end
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
end
pump(id)

if S.g then -- a repeated request, or one whose message did not do
  S.g.mark = mark
  keep(id, S.g, now + life)
  local others = contended(me)
  save(name)
  return { GRANTED, S.g.first, S.g.n, others }
end

if S.u == 0 and S.q == 0 then
  S.k, S.c = kind, capacity
elseif S.k ~= kind or S.c ~= capacity then
  save(name)
  return { MISMATCH, S.k, text(S.c) }
end

if S.q == 0 and fits(weight) then
  local g = grant(id, weight, tokens, life, owner, mark)
  save(name)
  return { GRANTED, g.first, text(tokens), 0 }
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
  S.s, S.q = S.s + 1, S.q + 1
  local ticket = text(S.s)
  put('w:' .. id, ticket .. ' ' .. text(weight) .. ' ' .. text(tokens) .. ' ' .. mark .. slip .. ' ' .. text(now) .. ' ' .. owner)
  if c.n == 1 then
    for _, h in ipairs(holders(AT_ONCE)) do
      local whose = clientOf(h.id)
      local told = mail[whose] and mail[whose].g -- of its grant, and with it that others wait
      if whose ~= me and not told and h.mark == 'h' then tell(whose, 'c') end
    end
  end
  redis.call('ZADD', Q, ticket, id)
end
save(name)
return { QUEUED, new, text(due()), text(now) }
