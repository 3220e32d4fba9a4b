-- The short path of acquire.lua: queues behind one who has all of a name, confirms a grant of all of it, and releases
-- it, to the next or for itself, while it asks again.
-- Keys, args, result and clock are those of acquire.lua, to which it leaves everything else.
do
  local id, after, life = ARGV[4], ARGV[12], tonumber(ARGV[10])
  local me = clientOf(id)
  if glance('w:' .. id, 'c:' .. me) and fields[5] == ARGV[6] and fields[6] == ARGV[7] and fields[8] ~= id
    and not fields[11] then
    local mine = waits > 0 and fields[12] and tonumber(string.match(fields[12], '^(%d+) ')) or 0

    if waits == 0 and holder and holder == after then -- for itself
      local first, last = mint(ARGV[9])
      if first then
        hold(id, now + life, ARGV[13], ARGV[8], first, ARGV[9], ARGV[11])
        write[5], write[6] = 'r', after
        finish(math.max(now + life, last))
        return { 1, first, ARGV[9], 0 }
      end

    elseif holder == id and after == '' and weight == fields[6] then -- asked again
      local m = string.sub(fields[4], rest)
      local first, n = string.match(m, '^%d+ (%d+) (%d+) ')
      local over = math.max(till, now + life)
      write[1], write[2] = 'm', id .. ' ' .. text(over) .. ' ' .. ARGV[13] .. m
      finish(math.max(over, fields[7]), waits > 0)
      return { 1, first, n, waits > mine and 1 or 0 }

    elseif holder and holder ~= id and ARGV[5] == 'wait' and weight == fields[6] then
      local h
      if after == holder then h = heir() end
      -- A client that is its own heir would have its count changed twice.
      if after == '' and redis.call('ZCARD', KEYS[2]) == waits or h and h.client ~= me then
        local ticket = fields[10] + 1
        if h then crown(h) end
        redis.call('ZADD', KEYS[2], text(ticket), id)
        local n, w = #write, { 's', text(ticket), 'q', text(h and waits or waits + 1),
          'w:' .. id, text(ticket) .. ' ' .. ARGV[8] .. ' ' .. ARGV[9] .. ' ' .. ARGV[13] .. ARGV[14] .. ' ' .. text(now) .. ' ' .. ARGV[11],
          'c:' .. me, text(mine + 1) .. ' ' .. text(now + alive), h and 'r', after }
        for i = 1, h and 10 or 8 do write[n + i] = w[i] end
        if h then
          -- Who has asked here waits behind it, so it is contended.
          finish(math.max(h.till, now + alive, h.last), waits == 1 and 'new' or true, h.client, 'g1 ' .. h.news)
          return { 2, 1, text(h.till - now), text(now) }
        end
        local whose = clientOf(holder)
        finish(math.max(till, now + alive, fields[7]), waits == 0 and 'new' or true,
          mine == 0 and mark == 'h' and whose ~= me and whose, 'c ')
        return { 2, 1, text(till - now), text(now) }
      end
    end
  end
end

