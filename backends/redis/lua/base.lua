-- What every script begins with: constants, the clock, the arguments that all of them take. What they mean is said in
-- state.lua.
--
-- keys     the first says what the channels of the inboxes begin with
-- args     ARGV[1] how long a client counts as alive after it was seen; op.lua has a word before it
-- result   none
-- clock    TIME of the server, in microseconds since 1970; every time and span is in microseconds

local FORMAT = '4'
local LINGER = 600 * 1000000       -- how long the last token of an unused name is remembered, at most
local LARGEST = 4503599627370496   -- 2^52: a token or a time beyond it was not written by us

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local inbox, alive = string.match(KEYS[1], '^[^{]*') .. 'inbox:', tonumber(string.match(ARGV[1], '%d+$'))

-- text is n without the loss of digits. A format of integers takes a third of the time that one of
-- a large number takes; where a C long has 32 bits, it can do no more than seconds.
local function text(n)
  if n < 1000000000 then return string.format('%d', n) end
  local low = n % 1000000
  return string.format('%d%06d', (n - low) / 1000000, low)
end

local function clientOf(id) return string.sub(id, 1, 16) end

-- WAITER takes a waiter apart: ticket, weight, tokens, mark, life, secret, owner.
local WAITER = '^(%d+) (%d+) (%d+) (%a)(%d+) (%x+) %d+ (.*)$'

-- WANT takes apart what a request says of itself, see op.lua.
local WANT = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%a%d+)$'

-- news is what a client is told of its new grant.
local function news(id, first, secret)
  return string.sub(id, 18) .. ':' .. first .. ':' .. text(now) .. ':' .. secret
end

-- expiry returns when keys are to expire whose last use ends at far. It is p, when they expire
-- now, as long as that will do: not sooner than half of LINGER after far, and no later than a
-- name out of use may stay.
local function expiry(p, far)
  local best = math.max(now + LINGER, far + LINGER / 2)
  return p - far >= LINGER / 2 and p <= best and p or best
end
