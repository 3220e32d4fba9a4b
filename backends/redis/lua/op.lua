-- Releases grants, and then requests names, all in one step. Repeated, it has the same result: what
-- was released stays so, a request that was granted keeps its token, and has its whole time to live
-- again; one that waits keeps its place. All requests are made, or none.
--
-- keys     H, Q, D of each name
-- args     1 "wait" or "try", a space, and how long a client counts as alive after it was seen;
--          from 2, for each name: name;
--          what is given back: "R<id>" a grant; "K<span> <id>" a grant whose permits stay taken until
--            so long after it was made; "C<id>" whatever id has, a grant or a place in the
--            queue; "F<id>" the same, and a request that may still be on its way has no effect.
--            What is kept or detached is nobody's to give back;
--          the request, or "", which the last name may lack: id; kind, capacity, weight, tokens, time
--            to live, and mark and life as in a waiter, see state.lua, in one; secret; owner
-- result   for each name, a row for each thing given back: 1, also when that is repeated, or 0 if
--          there was nothing; and one for the request:
--          {GRANTED, first token, tokens, contended}, or the first token alone: there are as many as
--            were asked for, and nobody else waits
--          {QUEUED, 1 if it was not in the queue before, time to the next deadline or -1, now}
--          {BUSY, now, "<id> <record>" of a holder, see state.lua} for a try, or {BUSY} if there is
--            no holder; {GIVEN_UP}, {MISMATCH, kind, capacity}
--          {IDLE}: nothing was asked for, because of another request
--          Each row may be the text of an error instead, see state.lua. A single row may stand alone.
-- clock    TIME

local LATE = 60 * 1000000 -- how long a cancelled request can be on its way

local names, results, at = {}, {}, 2
local idle -- no request is made

-- enter makes n the name that all rules are about; leave notes what they have made of it.
local function enter(n)
  H, Q, D, S, written, gone, clients, out, changed, mail = unpack(n.state, 1, 10)
end

local function leave(n)
  n.state = { H, Q, D, S, written, gone, clients, out, changed, mail }
end

-- parse reads the arguments of the next name.
local function parse()
  local n, a = { name = ARGV[at], back = {} }, ARGV[at + 1]
  at = at + 1
  while a and string.find(a, '^[RKCF]') do
    local how, id, least = string.sub(a, 1, 1), string.sub(a, 2), nil
    if how == 'K' then least, id = string.match(id, '^(%d+) (.*)$') end
    n.back[#n.back + 1] = { how = how, least = least, id = id }
    at = at + 1
    a = ARGV[at]
  end
  if a and a ~= '' then
    local kind, capacity, weight, tokens, life, slip = string.match(ARGV[at + 1], WANT)
    n.id, n.kind, n.slip, n.owner = a, kind, slip .. ' ' .. ARGV[at + 2], ARGV[at + 3]
    n.capacity, n.weight = tonumber(capacity), tonumber(weight)
    n.tokens, n.life = tonumber(tokens), tonumber(life)
    at = at + 3
  end
  at = at + 1
  return n
end

-- release returns 1 if there was something.
local function release(n, how, id, least)
  local g, had = heldBy(id), 0
  local ends = how == 'R' or how == 'K'
  if g and not string.find(g.mark, NOBODYS) then
    had = 1
    if how ~= 'K' or not retain(id, g, least) then free(id, g) end
    if ends then S.r = id end
  elseif ends then
    -- If the request is known, this is repeated, and the first call has released the grant.
    if S.r == id or n.id and (S.g or S.w) then had = 1 end
  elseif S.w then
    had = 1
    unqueue(id)
  end
  if how == 'F' then cancel(id, now + LATE) end
  return had
end

local function canHave(n) return S.q == 0 and fits(n.weight) end

-- check returns why the request cannot be made, if so.
local function check(n)
  if S.x or S.r == n.id or S.g and string.find(S.g.mark, NOBODYS) then -- given up, or released: this is a late copy of a request that is over
    pump()
    return { GIVEN_UP }
  end
  local me = clientOf(n.id)
  if S.w then
    local c = client(me)
    c.till, c.dirty = now + alive, true
  end
  pump(n.id)
  if S.g or S.w or S.u == 0 and S.q == 0 then return nil end
  if S.k ~= n.kind or S.c ~= n.capacity then return { MISMATCH, S.k, text(S.c) } end
  if string.byte(ARGV[1]) == 116 and not canHave(n) then
    local some = holders(4) -- holders that want to hear of it hold all, or nearly
    local first = some[1] or holders(AT_ONCE)[1]
    for _, h in ipairs(some) do
      if tonumber(h.first) < tonumber(first.first) then first = h end
      if string.find(h.mark, '%u') and clientOf(h.id) ~= me then
        tell(clientOf(h.id), 't')
        h.mark = string.find(h.mark, '[HT]') and 'T' or 'U'
        keep(h.id, h, h.till)
      end
    end
    return { BUSY, text(now), first and first.id .. ' ' .. record(first) }
  end
end

-- before gives back what is to be given back of a name, and checks its request.
local function before(i, n)
  local id = n.id or n.back[1] and n.back[1].id or ''
  open(i, id)
  prune(id)
  n.rows = {}
  for j, b in ipairs(n.back) do n.rows[j] = release(n, b.how, b.id, b.least) end
  if n.id then n.row = check(n) else pump() end
  leave(n)
end

-- queue puts a request into the queue.
local function queue(n, me)
  local c = client(me)
  c.n, c.till, c.dirty = c.n + 1, now + alive, true
  S.s, S.q = S.s + 1, S.q + 1
  n.ticket = text(S.s)
  put('w:' .. n.id, n.ticket .. ' ' .. text(n.weight) .. ' ' .. text(n.tokens) .. ' ' .. n.slip .. ' '
    .. text(now) .. ' ' .. n.owner)
  if c.n == 1 then
    for _, h in ipairs(holders(AT_ONCE)) do
      local whose = clientOf(h.id)
      local told = mail[whose] and mail[whose].g -- of its grant, and with it that others wait
      if whose ~= me and not told and string.find(h.mark, '[hHT]') then tell(whose, 'c') end
    end
  end
end

-- request makes a request that was checked.
local function request(n)
  local me, mark = clientOf(n.id), string.sub(n.slip, 1, 1)
  if S.g then -- a repeated request, or one whose message did not do
    S.g.mark = mark
    keep(n.id, S.g, now + n.life)
    return { GRANTED, S.g.first, S.g.n, contended(me) }
  end
  if S.u == 0 and S.q == 0 then S.k, S.c = n.kind, n.capacity end
  if canHave(n) and not S.w then
    return { GRANTED, grant(n.id, n.weight, n.tokens, n.life, n.owner, mark).first, text(n.tokens), 0 }
  end
  local new = S.w and 0 or 1
  if new == 1 then queue(n, me) end
  return function() return { QUEUED, new, text(due()), text(now) } end
end

for i = 1, #KEYS, 3 do
  local n = parse()
  names[#names + 1] = n
  local ok, err = pcall(before, i, n)
  if not ok then n.bad = type(err) == 'table' and err.err or tostring(err) end
  if n.bad or n.row then idle = true end
end
if not idle then
  for _, n in ipairs(names) do
    if n.id then
      enter(n)
      n.row = request(n)
      leave(n)
    end
  end
end
for _, n in ipairs(names) do
  if not n.bad then
    enter(n)
    if n.ticket then redis.call('ZADD', Q, n.ticket, n.id) end
    save(n.name)
    if type(n.row) == 'function' then n.row = n.row() end
  end
  for j = 1, #n.back do results[#results + 1] = n.bad or n.rows[j] end
  if n.id then results[#results + 1] = n.bad or n.row or { IDLE } end
end
return results
