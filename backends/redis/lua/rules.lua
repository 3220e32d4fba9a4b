-- The rules by which the state of a name changes, see state.lua. They change nothing on the server
-- before save.
--
-- Keys, args, result, errors and clock are those of state.lua.

local BUSY, GRANTED, QUEUED, GIVEN_UP, TRIED, IDLE = 0, 1, 2, 3, 4, 5
local MISMATCH = -1

-- contended says whether any client but this one waits.
local function contended(name) return S.q > 0 and S.q > client(name).n and 1 or 0 end

local function fits(weight) return S.u + weight <= S.c end

local function tell(name, word, what)
  local m = mail[name] or {}
  mail[name] = m
  m[word] = m[word] or {}
  if what then table.insert(m[word], what) end
end

-- keep keeps a grant until a deadline. A deadline is never moved back: somebody may rely on it.
local function keep(id, g, till)
  g.id, g.till, changed = id, math.max(till, g.till or 0), true
  if S.d > 0 then put('g:' .. id, record(g)) else S.m = g end
end

-- grant gives id its permits and tokens until life is over.
local function grant(id, weight, tokens, life, owner, mark)
  local first = math.max(S.t + 1, now)
  if first + tokens > LARGEST then damaged('t') end
  S.t = first + tokens - 1
  S.u = S.u + weight
  if S.m then many() end
  if S.d > 0 then S.d = S.d + 1 end
  local g = { mark = mark, weight = weight, first = text(first), n = text(tokens),
              rest = ' ' .. text(now) .. ' ' .. owner }
  keep(id, g, now + life)
  return g
end

-- reassign makes a grant another's, or nobody's, until a deadline. No holder relies on the one that it
-- had, so the deadline may move back: the first in the queue is told to look when it is now.
local function reassign(id, g, mark, till)
  local head = till < g.till and S.q > 0 and redis.call('ZRANGE', Q, 0, 0)[1]
  g.id, g.mark, g.till, changed = id, mark, till, true
  if S.d > 0 then put('g:' .. id, record(g)) else S.m = g end
  if head then tell(clientOf(head), 'm') end
end

-- least returns until when the permits of a grant stay taken at least, that long after the grant.
local function least(g, span) return string.match(g.rest, '^ (%d+)') + span end

-- retain has the permits of a grant that was released stay taken until so long after the grant, and
-- says whether that is to come.
local function retain(id, g, span)
  local till = least(g, span)
  if till <= now then return false end
  reassign(id, g, 'k', till)
  return true
end

-- sealOf returns the seal of a detached grant, and until when it can be adopted.
local function sealOf(g)
  local seal, till = string.match(g.rest, '^ %d+ (%x+):(%d+) ')
  return seal, tonumber(till or damaged('g'))
end

-- heldBy returns the grant of an id, if there is one.
local function heldBy(id)
  if S.d == 0 then return S.m and S.m.id == id and S.m end
  local field = 'g:' .. id
  local v = not gone[field] and (written[field] or redis.call('HGET', H, field))
  return v and grantOf(field, v)
end

-- free takes the permits of a grant back.
local function free(id, g)
  changed = true
  if S.d == 0 then
    S.m, S.u = nil, 0
    return
  end
  drop('g:' .. id)
  S.d = S.d - 1
  S.u = S.d > 0 and math.max(0, S.u - g.weight) or 0
end

-- cancel has an acquire of id have no effect until a deadline.
local function cancel(id, till)
  if S.m then many() end
  if not S.x then S.d = S.d + 1 end
  put('x:' .. id, text(till))
end

-- allow ends that.
local function allow(id)
  drop('x:' .. id)
  S.d = S.d - 1
end

-- unqueue takes a waiter out of the queue.
local function unqueue(id)
  out[id] = true
  drop('w:' .. id)
  S.q = S.q - 1
  local c = client(clientOf(id))
  c.n, c.dirty = math.max(0, c.n - 1), true
end

-- prune mends what is only partly there, and ends what is overdue.
local function prune(id)
  if S.torn then mend() end
  if S.m and S.m.till <= now then
    if S.m.id == id then S.g = nil end
    free(S.m.id, S.m)
  elseif S.d > 0 then
    for _, m in ipairs(redis.call('ZRANGEBYSCORE', D, '-inf', text(now), 'LIMIT', 0, AT_ONCE)) do
      local whose, v = string.sub(m, 3), redis.call('HGET', H, m)
      if not v then -- junk: the hash does not count it, so the next call mends D
        drop(m)
      elseif string.sub(m, 1, 1) == 'x' then
        allow(whose)
      else
        free(whose, grantOf(m, v))
      end
      if whose == id then S.g, S.x = nil, nil end
    end
  end
end

-- pump lets the queue move up: its head is granted what it waits for as long as it fits, and its
-- client told. Waiters of dead clients are skipped. If there are too many for one call, the next
-- in the queue is told to look.
local function pump(id)
  local at, n = 0, 0
  local head
  while S.q > 0 and S.u < S.c do
    head = redis.call('ZRANGE', Q, at, at)[1]
    if not head or n == AT_ONCE then break end
    at = at + 1
    if not out[head] then -- else it has left the queue in this call
      n = n + 1
      local v, whose = redis.call('HGET', H, 'w:' .. head), clientOf(head)
      local w = v and waiterOf('w:' .. head, v)
      if not w then -- junk: the hash does not count it, so the next call mends the queue
        out[head], changed = true, true
      elseif client(whose).till <= now then
        unqueue(head)
      elseif not fits(w.weight) then
        break
      else
        unqueue(head)
        local g = grant(head, w.weight, w.tokens, w.life, w.owner, w.mark)
        if head == id then S.g, S.w = g, nil else tell(whose, 'g', news(head, g.first, w.secret)) end
      end
    end
  end
  if head and n == AT_ONCE and S.q > 0 and S.u < S.c then tell(clientOf(head), 'm') end
end

-- save writes what has changed and sends the mail. A message that the server refuses changes
-- nothing: it is a hint.
local function save(name)
  for c, v in pairs(clients) do
    if v.dirty then
      if v.n > 0 then put('c:' .. c, text(v.n) .. ' ' .. text(v.till)) else drop('c:' .. c) end
    end
  end
  if changed then write() end
  for c, words in pairs(mail) do
    for word, what in pairs(words) do
      if word == 'g' then word = word .. contended(c) end
      redis.pcall('PUBLISH', inbox .. c, word .. ' ' .. table.concat(what, ',') .. ' ' .. name)
    end
  end
end

-- due says in how many microseconds the next deadline comes; -1: there is none.
local function due()
  local d = S.m and S.m.till
  if S.d > 0 then d = tonumber(redis.call('ZRANGE', D, 0, 0, 'WITHSCORES')[2]) end
  return d and math.max(0, d - now) or -1
end

-- holders returns at most n grants, with their ids.
local function holders(n)
  if S.d == 0 then return { S.m } end
  local list = {}
  for _, m in ipairs(redis.call('ZRANGE', D, 0, n - 1)) do
    local v = string.sub(m, 1, 1) == 'g' and not gone[m] and redis.call('HGET', H, m)
    if v then
      local g = grantOf(m, v)
      g.id = string.sub(m, 3)
      list[#list + 1] = g
    end
  end
  return list
end
