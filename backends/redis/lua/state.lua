-- The state of one name: it is read, checked, mended and written here, and nowhere else but in
-- the short paths. The hash has all of it. The other keys are indexes, which are made anew from
-- the hash when they are gone. Without the hash they mean nothing.
--
-- keys     three for each name, in one slot: H, Q, D
--   H  hash   v format, k kind, c capacity, u permits in use, t last token, s last ticket,
--             q how many waiters, d how many members of D, p when the key expires,
--             r the grant that was released last,
--             m while d is 0: the only grant, as <id> <record>, or empty; then u may be out of date
--             g:<id>     a grant, while d is not 0: its record:
--                        deadline mark+weight token tokens since owner
--                        mark "h" held, "s" held by a holder that need not hear that others wait;
--                        "H", "S" by one that also wants to hear of tries that find it busy,
--                        "T", "U" after there was one; "k" kept: it was released, and its permits
--                        stay taken until the deadline; "d" detached: before the owner stand its
--                        seal, a colon, until when it waits for an adopter, and a space
--             w:<id>     a waiter: ticket weight tokens mark+life secret since owner
--                        life is how long its grant lasts if nobody asks for it or prolongs it,
--                        secret a number that its message repeats
--             c:<client> a client with waiters: how many, until when it counts as alive
--             x:<id>     until when an acquire that was given up must not take effect
--   Q  zset   the queue: ids of waiters, by ticket
--   D  zset   deadlines, unless m will do: "g:<id>" and "x:<id>", by the time when they end
-- args     those of base.lua
-- result   of its own none
-- errors   VERSION, FOREIGN, DAMAGED field: the data is not ours, or cannot be read. Nothing was
--          written: everything is checked as it is read, and save writes at the end.
-- clock    TIME of the server, in microseconds since 1970; every time and span is in microseconds
--
-- An id is <client>-<number>, the client 16 hexadecimal digits. Numbers beyond 10^14 lose digits
-- when Lua turns them into text by itself: text() keeps all of them up to 2^53.

local MOMENT = 1000000  -- by which D outlives the last deadline, and a name without a token its use
local AT_ONCE = 256     -- bounds what one call prunes, grants or tells
local NUMBERS = { 'k', 'c', 'u', 't', 's', 'q', 'd', 'p' } -- fields of H, as open reads them
local ID = '%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%-%x+$'

local H, Q, D
local S          -- the fields of H, and what is known of the id that the script is about
local written    -- fields of H to be written
local gone       -- fields of H to be deleted
local clients    -- c: fields read so far
local out        -- ids to be taken out of Q
local changed    -- anything to be written at all
local mail       -- client -> what it is told

-- Marks of grants that are nobody's: no client releases, renews or asks for them.
local NOBODYS = '[kd]'

local function damaged(field) error({ err = 'DAMAGED ' .. field }) end

-- grantOf reads the record of a grant.
local function grantOf(field, v)
  local till, mark, weight, first, n, rest =
    string.match(v, '^(%d+) ([hsHSTUkd])(%d+) (%d+) (%d+)( %d+ .*)$')
  local w = tonumber(weight)
  if not w or w < 1 or w > S.c or till + first + n > 2 * LARGEST then damaged(field) end
  return { till = tonumber(till), mark = mark, weight = w, first = first, n = n, rest = rest }
end

local function record(g)
  return text(g.till) .. ' ' .. g.mark .. text(g.weight) .. ' ' .. g.first .. ' ' .. g.n .. g.rest
end

-- waiterOf reads a waiter.
local function waiterOf(field, v)
  local ticket, weight, tokens, mark, life, secret, owner = string.match(v, WAITER)
  local w = tonumber(weight)
  if not mark or not string.find(mark, '[hsHS]') or w < 1 or w > S.c or ticket + tokens + life > LARGEST then
    damaged(field)
  end
  return { ticket = tonumber(ticket), weight = w, mark = mark, tokens = tonumber(tokens),
           life = tonumber(life), secret = secret, owner = owner }
end

local function client(name)
  local c = clients[name]
  if not c then
    local f = redis.call('HGET', H, 'c:' .. name)
    c = { n = 0, till = 0 }
    if f then
      local n, till = string.match(f, '^(%d+) (%d+)$')
      if not n or n + till > LARGEST then damaged('c:' .. name) end
      c.n, c.till = tonumber(n), tonumber(till)
    end
    clients[name] = c
  end
  return c
end

local function put(field, v)
  written[field], gone[field], changed = v, nil, true
end

local function drop(field)
  written[field], gone[field], changed = nil, true, true
end

-- open reads the name whose keys begin at KEYS[i], and what is known of id.
local function open(i, id)
  H, Q, D = KEYS[i], KEYS[i + 1], KEYS[i + 2]
  written, gone, clients, out, mail, changed = {}, {}, {}, {}, {}, false
  local f = redis.call('HMGET', H, 'v', 'k', 'c', 'u', 't', 's', 'q', 'd', 'p', 'r', 'm',
    'g:' .. id, 'w:' .. id, 'x:' .. id)
  local q, d = redis.call('ZCARD', Q), redis.call('ZCARD', D)
  if not f[1] then
    if redis.call('HLEN', H) > 0 then error({ err = 'FOREIGN' }) end
    S = { k = '0', c = 0, u = 0, t = 0, s = 0, q = 0, d = 0, p = 0, r = '' }
  elseif f[1] ~= FORMAT then
    error({ err = 'VERSION' })
  else
    for j, field in ipairs(NUMBERS) do
      local n = f[j + 1]
      if not n or not string.find(n, '^%d+$') or n + 0 > 2 * LARGEST then damaged(field) end
    end
    S = { k = f[2], c = tonumber(f[3]), u = tonumber(f[4]), t = tonumber(f[5]), s = tonumber(f[6]),
          q = tonumber(f[7]), d = tonumber(f[8]), p = tonumber(f[9]), r = f[10] or damaged('r'),
          w = f[13], x = f[14] }
    if S.t > LARGEST then damaged('t') end
    if S.d > 0 then
      if S.u > S.c then damaged('u') end
      if f[11] ~= '' then damaged('m') end
      S.g = f[12] and grantOf('g:' .. id, f[12])
    else
      S.u = 0
      if f[11] ~= '' then
        local whose, g = string.match(f[11] or '', '^(%S+) (.*)$')
        if not whose or not string.find(whose, '^' .. ID) then damaged('m') end
        S.m = grantOf('m', g)
        S.m.id, S.u, S.g = whose, S.m.weight, whose == id and S.m
      end
    end
  end
  S.empty = q == 0 -- then Q has no expiry yet
  S.torn = q ~= S.q or d ~= S.d
end

-- index adds members and their scores to a key.
local function index(key, list)
  for i = 1, #list, 2000 do redis.call('ZADD', key, unpack(list, i, math.min(i + 1999, #list))) end
end

-- ours fails if a key has members of which none could be ours.
local function ours(key, prefix)
  local members = redis.call('ZRANGE', key, 0, -1)
  for _, m in ipairs(members) do
    if string.find(m, '^' .. prefix .. ID) then return end
  end
  if #members > 0 then error({ err = 'FOREIGN' }) end
end

-- mend makes Q and D what the hash says. It checks everything before it writes.
local function mend()
  ours(Q, '')
  ours(D, '[gx]:')
  local queue, deadlines, counts, seen, used = {}, {}, {}, {}, 0
  local all = redis.call('HGETALL', H)
  for i = 1, #all, 2 do
    local field, v = all[i], all[i + 1]
    local kind, id = string.match(field, '^(%a):(.*)$')
    if kind == 'c' then
      seen[id] = client(id)
    elseif kind and not string.find(id, '^' .. ID) then
      damaged(field)
    elseif kind == 'w' then
      local w, whose = waiterOf(field, v), clientOf(id)
      queue[#queue + 1], queue[#queue + 2] = text(w.ticket), id
      counts[whose] = (counts[whose] or 0) + 1
      S.s = math.max(S.s, w.ticket)
    elseif kind == 'g' or kind == 'x' then
      if kind == 'g' then used = used + grantOf(field, v).weight end
      local till = string.match(v, kind == 'g' and '^%d+' or '^%d+$')
      deadlines[#deadlines + 1], deadlines[#deadlines + 2] = till or damaged(field), field
    end
  end
  if S.m and #deadlines > 0 or used > S.c then damaged('m') end
  for name in pairs(counts) do seen[name] = client(name) end
  for name, c in pairs(seen) do c.n, c.dirty = counts[name] or 0, true end
  redis.call('DEL', Q, D)
  index(Q, queue)
  index(D, deadlines)
  S.q, S.d, S.torn, S.empty, changed = #queue / 2, #deadlines / 2, false, true, #all > 0
  if S.d > 0 then S.u = used end
end

-- many makes room for more than one deadline.
local function many()
  local m = S.m
  if m then
    S.m, S.d = nil, S.d + 1
    put('g:' .. m.id, record(m))
  end
end

-- write writes what has changed, the keys' expiry too.
local function write()
  local fields, ids, members, moved = {}, {}, {}, {}
  for field in pairs(gone) do
    fields[#fields + 1] = field
    if string.find(field, '^[gx]:') then members[#members + 1] = field end
  end
  for id in pairs(out) do ids[#ids + 1] = id end
  for field, v in pairs(written) do
    if string.find(field, '^[gx]:') then
      moved[#moved + 1], moved[#moved + 2] = string.match(v, '^%d+'), field
    end
  end
  if #ids > 0 then redis.call('ZREM', Q, unpack(ids)) end
  if #members > 0 then redis.call('ZREM', D, unpack(members)) end
  if #fields > 0 then redis.call('HDEL', H, unpack(fields)) end
  index(D, moved)

  local far, last = S.m and S.m.till or now
  if S.d > 0 then
    last = tonumber(redis.call('ZRANGE', D, -1, -1, 'WITHSCORES')[2])
    far = math.max(far, last or 0)
  end
  if S.q > 0 then far = math.max(far, now + alive) end
  -- Without a token there is nothing to remember of a name that is not in use.
  local p = S.t > 0 and expiry(S.p, math.max(far, S.t)) or far + MOMENT
  local f = { 'v', FORMAT, 'k', S.k, 'c', text(S.c), 'u', text(S.u), 't', text(S.t),
              's', text(S.s), 'q', text(S.q), 'd', text(S.d), 'p', text(p), 'r', S.r,
              'm', S.m and S.m.id .. ' ' .. record(S.m) or '' }
  for field, v in pairs(written) do
    f[#f + 1], f[#f + 2] = field, v
  end
  redis.call('HSET', H, unpack(f))
  local till = text(math.floor(p / 1000))
  if p ~= S.p then redis.call('PEXPIREAT', H, till) end
  if S.q > 0 and (p ~= S.p or S.empty) then redis.call('PEXPIREAT', Q, till) end
  if last then redis.call('PEXPIREAT', D, text(math.ceil((last + MOMENT) / 1000))) end
end
