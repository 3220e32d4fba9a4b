-- Grants a request, or queues it, or refuses it. Repeated with the same id it has the same result: a request that was
-- granted keeps its token, one that waits keeps its place. A waiter that is offered a grant claims it with this.
--
-- keys     H, Q, D of the name
-- args     4 name, 5 id, 6 "wait" or "try", 7 kind, 8 capacity, 9 weight, 10 tokens, 11 time to live, 12 owner
-- result   {GRANTED, first token, tokens, contended}
--          {QUEUED, 1 if it was not in the queue before, time to the next deadline or -1}
--          {BUSY} for a try, {GIVEN_UP}, {MISMATCH, kind, capacity}, {FOREIGN}, {VERSION}
-- clock    TIME

local name, id, kind, capacity = ARGV[4], ARGV[5], ARGV[7], tonumber(ARGV[8])
local weight, tokens, life, owner = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), ARGV[12]
local me = clientOf(id)

local bad = open(1, id)
if bad then return { bad } end
prune(id)
if S.x or S.r == id then -- given up, or released: this is a late copy of an acquire that is over
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
  keep(id, 'h' .. string.sub(S.g, 2), now + life)
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
  local _, first = grant(id, weight, tokens, life, owner, 'h')
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
  -- A holder that has not claimed its offer yet is told by the answer to its claim.
  if c.n == 1 and not (S.m and string.sub(S.m.g, 1, 1) == 'o') then
    for _, h in ipairs(holders(AT_ONCE)) do
      if clientOf(h) ~= me then tell(clientOf(h), 'c') end
    end
  end
end
save(name)
return { QUEUED, new, text(due()) }
