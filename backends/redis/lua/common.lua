-- What all scripts share: the state of one name, and the rules by which it changes.
--
-- keys     three for each name, in one slot: H, Q, D
--   H  hash   v format, k kind, c capacity, u permits in use, t last token, s last ticket, q waiters,
--             e when the last of its uses can end at the latest, p when the key expires, r grant that was released last,
--             i how grants are kept: "0" in g: fields and D, otherwise in m, which is empty or <id> <deadline> <grant>;
--               then u and e may be out of date, and m says how it is
--             g:<id>     a grant: mark weight token tokens since owner
--                        mark "h" held, "s" held by one who need not hear that others wait
--             w:<id>     a waiter: weight tokens mark life secret since owner
--                        life is how long its grant lasts if nobody asks for it or prolongs it, secret a number that its message repeats
--             c:<client> a client with waiters: how many, until when it counts as alive
--             x:<id>     an acquire that was given up: it must not take effect if it still comes
--   Q  zset   the queue: id, by ticket
--   D  zset   deadlines, unless m will do: "g:<id>" and "x:<id>", by the time when they end
-- args     ARGV[1] channel prefix of the inboxes, ARGV[2] how long a client counts as alive after it was seen
-- clock    TIME of the server, in microseconds since 1970; every time and span is in microseconds
--
-- An id is <client>-<number>, the client 16 hexadecimal digits. Numbers beyond 10^14 lose digits when Lua turns them
-- into text by itself: text() keeps all of them up to 2^53.

local MOMENT = 1000000             -- by which keys outlive the last deadline
local AT_ONCE = 256                -- bounds what one call prunes, grants or tells

local BUSY, GRANTED, QUEUED, GIVEN_UP, LOST = 0, 1, 2, 3, 4
local MISMATCH, FOREIGN, VERSION = -1, -2, -3

local H, Q, D
local S        -- the fields of H, and what is known of the id that the script is about
local written  -- fields of H to be written by save
local clients  -- c: fields read so far
local changed  -- anything to be written at all
local mail     -- client -> what it is told

-- open reads the name whose keys begin at KEYS[i], and what is known of id. It returns a code if the key is not ours.
local function open(i, id)
  H, Q, D = KEYS[i], KEYS[i + 1], KEYS[i + 2]
  written, clients, mail, changed = {}, {}, {}, false
  local f = redis.call('HMGET', H, 'v', 'k', 'c', 'u', 't', 's', 'e', 'r', 'i', 'm', 'g:' .. id, 'w:' .. id, 'x:' .. id)
  S = { k = f[2], c = tonumber(f[3]) or 0, u = tonumber(f[4]) or 0, t = tonumber(f[5]) or 0, s = tonumber(f[6]) or 0,
        e = tonumber(f[7]) or 0, r = f[8], i = f[9] or '1', g = f[11], w = f[12], x = f[13], fresh = not f[1] }
  S.q = redis.call('ZCARD', Q)
  S.lonely = S.q == 0
  if f[1] and f[1] ~= FORMAT then return VERSION end
  if S.fresh and redis.call('HLEN', H) > 0 or not (S.t < LARGEST) then return FOREIGN end
  if S.i ~= '0' then -- m says how it is: the short paths write nothing else of a grant
    S.i, S.u = '1', 0
    if f[10] and f[10] ~= '' then
      local who, till, g = string.match(f[10], '^(%S+) (%d+) (.*)$')
      if not who then return FOREIGN end
      S.m = { id = who, till = tonumber(till), g = g }
      S.i, S.u, S.g = '2', tonumber(string.match(g, '^%a(%d+)')) or 0, who == id and g
      S.e = math.max(S.e, S.m.till)
    end
  end
end

local function client(name)
  local c = clients[name]
  if not c then
    -- What is written of clients means nothing if the queue was lost.
    local f = not S.lonely and redis.call('HGET', H, 'c:' .. name)
    c = { n = 0, till = 0 }
    if f then
      local n, till = string.match(f, '^(%d+) (%d+)$')
      c.n, c.till = tonumber(n) or 0, tonumber(till) or 0
    end
    clients[name] = c
  end
  return c
end

-- contended says whether any client but this one waits.
local function contended(name) return S.q > 0 and S.q > client(name).n and 1 or 0 end

local function fits(weight) return S.u + weight <= S.c end

local function tell(name, word, what)
  local m = mail[name] or {}
  mail[name] = m
  m[word] = m[word] or {}
  if what then table.insert(m[word], what) end
end

local function drop(field)
  written[field] = nil
  redis.call('HDEL', H, field)
  changed = true
end

-- many makes room for more than one deadline.
local function many()
  local m = S.m
  if m then
    written['g:' .. m.id] = m.g
    redis.call('ZADD', D, text(m.till), 'g:' .. m.id)
    S.m = nil
  end
  S.i, changed = '0', true
end

-- few goes back to the simple form when there are no deadlines any more.
local function few()
  if S.i == '0' and S.u == 0 and redis.call('EXISTS', D) == 0 then S.i, changed = '1', true end
end

-- keep keeps a grant until a deadline, be it new or not. A deadline is never moved back: somebody may rely on it.
local function keep(id, g, till)
  if S.i == '1' or S.m and S.m.id == id then
    S.i, S.m = '2', { id = id, till = math.max(till, S.m and S.m.till or 0), g = g }
  else
    many()
    written['g:' .. id] = g
    redis.call('ZADD', D, 'GT', text(till), 'g:' .. id)
  end
  S.e, changed = math.max(S.e, till), true
end

-- grant gives id its permits and tokens until life is over.
local function grant(id, weight, tokens, life, owner, mark)
  local first = math.max(S.t + 1, now)
  S.t = first + tokens - 1
  S.u = S.u + weight
  local g = mark .. text(weight) .. ' ' .. text(first) .. ' ' .. text(tokens) .. ' ' .. text(now) .. ' ' .. owner
  keep(id, g, now + life)
  return g, first
end

-- free takes the permits of a grant back.
local function free(id, g)
  if S.m then
    S.m, S.i, changed = nil, '1', true
  else
    redis.call('ZREM', D, 'g:' .. id)
    drop('g:' .. id)
  end
  S.u = math.max(0, S.u - (tonumber(string.match(g, '^%a(%d+)')) or 0))
  few()
end

-- unqueue takes a waiter out of the queue.
local function unqueue(id)
  if redis.call('ZREM', Q, id) == 1 then S.q = S.q - 1 end
  drop('w:' .. id)
  local c = client(clientOf(id))
  c.n, c.dirty = c.n - 1, true
end

-- prune ends what is overdue.
local function prune(id)
  if S.fresh then -- the hash was lost; what the others still say means nothing without it
    if S.q > 0 or redis.call('ZCARD', D) > 0 then redis.call('DEL', Q, D) end
    S.q = 0
  elseif S.m then
    if S.m.till <= now then
      if S.m.id == id then S.g = false end
      free(S.m.id, S.m.g)
    end
  elseif S.i == '0' then
    for _, m in ipairs(redis.call('ZRANGEBYSCORE', D, '-inf', text(now), 'LIMIT', 0, AT_ONCE)) do
      local whose = string.sub(m, 3)
      local g = redis.call('HGET', H, m)
      if g and string.sub(m, 1, 1) == 'g' then
        free(whose, g)
      else
        redis.call('ZREM', D, m)
        drop(m)
      end
      if whose == id then S.g, S.x = false, false end
    end
    if redis.call('EXISTS', D) == 0 then -- they were lost or are long over, and what they were of with them
      for _, f in ipairs(redis.call('HKEYS', H)) do
        local kind = string.sub(f, 1, 2)
        if kind == 'g:' or kind == 'x:' then drop(f) end
      end
      S.u, S.g, S.x = 0, false, false
    end
    few()
  end
end

-- pump lets the queue move up: its head is granted what it waits for as long as it fits, and its client told. Waiters of
-- dead clients are skipped. If there are too many for one call, the next in the queue is told to look.
local function pump(id)
  local n = 0
  while S.q > 0 and S.u < S.c and n < AT_ONCE do
    n = n + 1
    local head = redis.call('ZRANGE', Q, 0, 0)[1]
    local w = head and (written['w:' .. head] or redis.call('HGET', H, 'w:' .. head))
    local whose = head and clientOf(head)
    local weight, tokens, mark, life, secret, owner
    if w then weight, tokens, mark, life, secret, owner = string.match(w, WAITER) end
    weight = tonumber(weight)
    if not head then
      S.q = 0
    elseif not weight then -- junk, or half of it was lost
      redis.call('ZREM', Q, head)
      S.q = S.q - 1
    elseif client(whose).till <= now then
      unqueue(head)
    elseif not fits(weight) then
      break
    else
      unqueue(head)
      local g, first = grant(head, weight, tonumber(tokens), tonumber(life), owner, mark)
      if head == id then S.g, S.w = g, false else tell(whose, 'g', news(head, text(first), secret)) end
    end
  end
  if n == AT_ONCE and S.q > 0 and S.u < S.c then -- who is next now has the queue move on
    local head = redis.call('ZRANGE', Q, 0, 0)[1]
    if head then tell(clientOf(head), 'm') end
  end
end

-- save writes what has changed and sends the mail. A message that the server refuses changes nothing: it is a hint.
local function save(name)
  for c, v in pairs(clients) do
    if v.dirty then
      if v.n > 0 then written['c:' .. c] = text(v.n) .. ' ' .. text(v.till) else drop('c:' .. c) end
      changed = true
    end
  end
  if changed then
    if S.u <= 0 and S.q <= 0 then -- what is left are acquires that were given up, if anything
      S.e = S.i == '0' and tonumber(redis.call('ZRANGE', D, -1, -1, 'WITHSCORES')[2]) or now
    end
    -- Without a token there is nothing to remember of a name that is not in use.
    local expires = math.max(S.e, S.t, now) + (S.t > 0 and LINGER or MOMENT)
    local f = { 'v', FORMAT, 'k', S.k or '0', 'c', text(S.c), 'u', text(S.u), 't', text(S.t), 's', text(S.s),
                'q', S.q, 'e', text(S.e), 'p', text(expires), 'r', S.r or '', 'i', S.i,
                'm', S.m and S.m.id .. ' ' .. text(S.m.till) .. ' ' .. S.m.g or '' }
    for k, v in pairs(written) do
      f[#f + 1] = k
      f[#f + 1] = v
    end
    redis.call('HSET', H, unpack(f))
    local till = text(math.ceil(expires / 1000))
    redis.call('PEXPIREAT', H, till)
    if S.i == '0' then redis.call('PEXPIREAT', D, text(math.ceil((S.e + MOMENT) / 1000))) end
    if S.q > 0 then redis.call('PEXPIREAT', Q, till) end
  end
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
  if S.i == '0' then d = tonumber(redis.call('ZRANGE', D, 0, 0, 'WITHSCORES')[2]) end
  return d and math.max(0, d - now) or -1
end

-- listens says whether a holder wants to hear that others wait.
local function listens(id)
  local g = S.i ~= '0' and S.m.g or redis.call('HGET', H, 'g:' .. id)
  return g and string.sub(g, 1, 1) == 'h'
end

-- holders returns the ids of at most n grants.
local function holders(n)
  if S.i ~= '0' then return { S.m and S.m.id } end
  local ids = {}
  for _, m in ipairs(redis.call('ZRANGE', D, 0, n - 1)) do
    if string.sub(m, 1, 1) == 'g' then ids[#ids + 1] = string.sub(m, 3) end
  end
  return ids
end
