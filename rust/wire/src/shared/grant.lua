-- What the database has answered. KEYS[3...] the accounts.
--
-- ARGV: time; an account: the token that it was asked with, its name for the database, how many slots, and five figures a
-- slot: slot, its end, how much more is granted, what the database has granted of it in all (-1: it has not answered, and
-- what was to be given back is not), how much of what was spent it has been told. What it has granted elsewhere, or to a
-- process that was killed before it could say so, is spent here.

local at, applied = 2, 0
for place = 3, #KEYS do
  local key, token, id, count = KEYS[place], ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  at = at + 3
  if redis.call('HGET', key, 'k') ~= token then
    at = at + 5 * count
  else
    local got = redis.call('HMGET', key, 'u', 'f', 'c')
    local spent, first, latest, waiting = number(got[1]), tonumber(got[2]), tonumber(got[3]), false
    for _ = 1, count do
      local slot, ends, more = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
      local granted, told = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
      at = at + 5
      local known = redis.call('HMGET', key, 'g' .. slot, 's' .. slot, 'h' .. slot)
      if granted < 0 then
        granted = number(known[1]) + more
      end
      local elsewhere = math.max(granted - number(known[1]) - more, -number(known[2]))
      local left = redis.call('HINCRBY', key, 'r' .. slot, 0 - told)  -- never "-0", which is no integer to Redis
      waiting = waiting or left ~= 0
      if ends == 0 or ends > now then
        redis.call('HSET', key, 'g' .. slot, granted, 's' .. slot, number(known[2]) + elsewhere, 'e' .. slot, ends)
        spent = spent + elsewhere
        first, latest = math.min(first or slot, slot), math.max(latest or slot, slot)
      elseif left == 0 and number(known[3]) == 0 and slot < (first or slot + 1) then
        redis.call('HDEL', key, 'g' .. slot, 's' .. slot, 'h' .. slot, 'r' .. slot, 'e' .. slot)
      end
    end
    redis.call('HSET', key, 'id', id, 'a', now, 'u', spent)
    if first then
      redis.call('HSET', key, 'f', first, 'c', latest)
    end
    redis.call('HDEL', key, 'k', 't')
    redis.call('PEXPIRE', key, KEPT_MS)
    if not waiting then
      redis.call('SREM', DIRTY, key)
    end
    applied = applied + 1
  end
end
return applied
