-- The short path of op.lua for one name of which one grant is out that is all of it: it queues a
-- request behind that, confirms it, and releases it to the next in the queue, or releases it and
-- queues a request in one. Keys, args, result and clock are those of op.lua, to which it leaves
-- everything else.
local function fast()
  local at, after = 3, nil
  if string.sub(ARGV[3], 1, 1) == 'R' then at, after = 4, string.sub(ARGV[3], 2) end
  local id = ARGV[at]
  if id and not string.find(id, '^[0-9a-f]') then return nil end -- more is given back
  if not id then
    local h = after and glance() and holder == after and heir()
    if not h then return nil end
    crown(h)
    local n = #write
    write[n + 1], write[n + 2], write[n + 3], write[n + 4] = 'r', after, 'q', text(waits - 1)
    finish(math.max(h.till, h.last), waits > 1, h.client, (waits - 1 > h.n and 'g1 ' or 'g0 ') .. h.news)
    return { 1 }
  end

  local me = clientOf(id)
  local kind, capacity, need, tokens, life, slip = string.match(ARGV[at + 1], WANT)
  if not glance('w:' .. id, 'c:' .. me) or fields[5] ~= kind or fields[6] ~= capacity or fields[8] == id
    or fields[11] or not holder or weight ~= fields[6] then return nil end
  local mine = waits > 0 and fields[12] and tonumber(string.match(fields[12], '^(%d+) ')) or 0

  if holder == id then -- asked again
    if after then return nil end
    local m = string.sub(fields[4], rest)
    local first, n = string.match(m, '^%d+ (%d+) (%d+) ')
    local over = math.max(till, now + life)
    write[1], write[2] = 'm', id .. ' ' .. text(over) .. ' ' .. string.sub(slip, 1, 1) .. m
    finish(math.max(over, fields[7]), waits > 0)
    return { { 1, first, n, waits > mine and 1 or 0 } }
  end

  if string.byte(ARGV[1]) ~= 119 then return nil end
  local h
  if after then
    h = holder == after and heir()
    -- A client that is its own heir would have its count changed twice.
    if not h or h.client == me then return nil end
  elseif redis.call('ZCARD', KEYS[2]) ~= waits then
    return nil
  end
  local ticket = fields[10] + 1
  if h then crown(h) end
  redis.call('ZADD', KEYS[2], text(ticket), id)
  local n, w = #write, { 's', text(ticket), 'q', text(h and waits or waits + 1),
    'w:' .. id, text(ticket) .. ' ' .. need .. ' ' .. tokens .. ' ' .. slip .. ' ' .. ARGV[at + 2]
      .. ' ' .. text(now) .. ' ' .. ARGV[at + 3],
    'c:' .. me, text(mine + 1) .. ' ' .. text(now + alive), h and 'r', after }
  for i = 1, h and 10 or 8 do write[n + i] = w[i] end
  if h then -- the new request waits behind it, so it is contended
    finish(math.max(h.till, now + alive, h.last), waits == 1 and 'new' or true, h.client, 'g1 ' .. h.news)
    return { 1, { 2, 1, text(h.till - now), text(now) } }
  end
  local whose = clientOf(holder)
  finish(math.max(till, now + alive, fields[7]), waits == 0 and 'new' or true,
    mine == 0 and string.find(mark, '[hHT]') and whose ~= me and whose, 'c ')
  return { { 2, 1, text(till - now), text(now) } }
end
if #KEYS == 3 then
  local done = fast()
  if done then return done end
end
