-- The short path of acquire.lua: queues behind one who has all of a name, claims an offer of all of it, and releases
-- it, to the next or for itself, while it asks again.
-- Keys, args, result and clock are those of acquire.lua, to which it leaves everything else.
do
  local id, after, life = ARGV[5], ARGV[13], tonumber(ARGV[11])
  local me = clientOf(id)
  if glance('w:' .. id, 'c:' .. me) and fields[5] == ARGV[7] and fields[6] == ARGV[8] and fields[8] ~= id
    and not fields[11] then
    local mine = waits > 0 and fields[12] and tonumber(string.match(fields[12], '^(%d+) ')) or 0

    if waits == 0 and holder and holder == after then -- for itself
      local first, last = mint(ARGV[10])
      if first then
        hold(id, now + life, ARGV[14], ARGV[9], first, ARGV[10], ARGV[12])
        write[5], write[6] = 'r', after
        finish(math.max(now + life, last))
        return { 1, first, ARGV[10], 0 }
      end

    elseif holder == id and mark == 'o' and after == '' and weight == fields[6] then -- a claim
      local m = string.sub(fields[4], rest)
      local first, n = string.match(m, '^%d+ (%d+) (%d+) ')
      local over = math.max(till, now + life)
      write[1], write[2] = 'm', id .. ' ' .. text(over) .. ' ' .. ARGV[14] .. m
      finish(math.max(over, fields[7]), waits > 0)
      return { 1, first, n, waits > mine and 1 or 0 }

    elseif holder and holder ~= id and ARGV[6] == 'wait' and weight == fields[6] then
      local h
      if after == holder then h = heir() end
      -- A client that is its own heir would have its count changed twice.
      if after == '' and redis.call('ZCARD', KEYS[2]) == waits or h and h.client ~= me then
        local ticket = (tonumber(fields[10]) or 0) + 1
        if h then crown(h) end
        redis.call('ZADD', KEYS[2], text(ticket), id)
        local n, w = #write, { 's', text(ticket), 'q', text(h and waits or waits + 1),
          'w:' .. id, ARGV[9] .. ' ' .. ARGV[10] .. ' ' .. text(now) .. ' ' .. ARGV[12],
          'c:' .. me, text(mine + 1) .. ' ' .. text(now + alive), h and 'r', after }
        for i = 1, h and 10 or 8 do write[n + i] = w[i] end
        if h then
          finish(math.max(now + claim, now + alive, h.last), waits == 1 and 'new' or true, h.client, 'o ' .. string.sub(h.id, 18))
          return { 2, 1, text(claim) }
        end
        local whose = clientOf(holder)
        finish(math.max(till, now + alive, fields[7]), waits == 0 and 'new' or true,
          mine == 0 and mark == 'h' and whose ~= me and whose, 'c ')
        return { 2, 1, text(till - now) }
      end
    end
  end
end

