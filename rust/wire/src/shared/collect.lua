-- What the database is to be told of: accounts on which something was spent since, or is claimed too much or too little.
--
-- ARGV: time, a token that the caller's answer is known by. What is claimed too much is given back here before it is
-- there, so that nothing is relied on that is not written. Answers a list an account: its key, its name for the database,
-- the limit, whether it is enforced, and five figures a slot: slot, its end, how much more is wanted, how much is given back, how much was spent.

local found = {}
for _, key in ipairs(redis.call('SRANDMEMBER', DIRTY, 64)) do
  local flat, account = redis.call('HGETALL', key), {}
  for place = 1, #flat, 2 do
    account[flat[place]] = flat[place + 1]
  end
  if not account.id then
    redis.call('SREM', DIRTY, key)
  elseif number(account.t) <= now then
    redis.call('HSET', key, 'k', ARGV[2], 't', now + CLAIM_MS)
    local most, amount = number(account.m), number(account.n)
    local told = { key, account.id, most, number(account.o) }
    for name, granted in pairs(account) do
      local slot = string.match(name, '^g(%d+)$')
      if slot then
        local used, ends = number(account['s' .. slot]) + number(account['h' .. slot]), number(account['e' .. slot])
        local counts = tonumber(slot) >= number(account.f) and (ends == 0 or ends > now)
        local target, lease = used, 0
        if counts and tonumber(slot) == number(account.c) then
          target, lease = claim_of(used, most, amount)
        end
        granted = number(granted)
        local more, back = 0, 0
        if granted > target + lease then
          back = granted - target
          redis.call('HSET', key, 'g' .. slot, target)
        elseif granted < target and granted - used < lease / 2 then
          more = target - granted
        end
        for _, figure in ipairs({ tonumber(slot), ends, more, back, number(account['r' .. slot]) }) do
          told[#told + 1] = figure
        end
      end
    end
    found[#found + 1] = told
  end
end
return found
