-- Grants a request, or queues it, or refuses it. Repeated with the same id it has the same result: a request that was
-- granted keeps its token, one that waits keeps its place. A waiter that is offered a grant claims it with this.
--
-- keys     H, Q, D of the name
-- args     4 name, 5 id, 6 "wait" or "try", 7 kind, 8 capacity, 9 weight, 10 tokens, 11 time to live, 12 owner,
--          13 id of a grant to be released first, or "", 14 mark of the grant, see common.lua: "h" or "s"
-- result   {GRANTED, first token, tokens, contended}, or the first token alone: there are as many as were asked for, and nobody
--          else waits
--          {QUEUED, 1 if it was not in the queue before, time to the next deadline or -1}
--          {BUSY} for a try, {GIVEN_UP}, {MISMATCH, kind, capacity}, {FOREIGN}, {VERSION}
--          {LOST} if the grant to be released had ended: then nothing was asked for
-- clock    TIME

local name, id, kind, capacity = ARGV[4], ARGV[5], ARGV[7], tonumber(ARGV[8])
local weight, tokens, life, owner = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), ARGV[12]
local after, mark = ARGV[13], ARGV[14]
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

if S.g then -- a repeated request, or a claim
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
if ARGV[6] == 'try' then
  save(name)
  return { BUSY }
end

local new = 0
if not S.w then
  new = 1
  local c = client(me)
  c.n, c.till, c.dirty = c.n + 1, now + alive, true
  S.s, S.q, S.e = S.s + 1, S.q + 1, math.max(S.e, now + alive)
  written['w:' .. id] = text(weight) .. ' ' .. text(tokens) .. ' ' .. text(now) .. ' ' .. owner
  redis.call('ZADD', Q, text(S.s), id)
  if c.n == 1 then
    for _, h in ipairs(holders(AT_ONCE)) do
      if clientOf(h) ~= me and listens(h) then tell(clientOf(h), 'c') end
    end
  end
end
save(name)
return { QUEUED, new, text(due()) }
