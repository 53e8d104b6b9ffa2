-- Charges a hold with more, if all of it fits. KEYS and ARGV as to reserve; answers 1 or 0.

local id = ARGV[3]
local packed = redis.call('HGET', HOLDS, id)
if not packed then
  return 0
end
local lines = cmsgpack.unpack(packed)
for place, line in ipairs(lines) do
  local rule = rule_at(4 + (place - 1) * 7)
  if is_of_another_time(rule) then
    return 0
  end
  local account = opened(line[1], rule)
  if line[4] ~= CONCURRENT and rule.enforced then
    local slot = line[2]
    local got = redis.call('HMGET', line[1], 's' .. slot, 'h' .. slot, 'g' .. slot)
    local fits = account.u + account.h + rule.amount <= rule.most
    local granted = not rule.durable or number(got[1]) + number(got[2]) + rule.amount <= number(got[3])
    if not (fits and granted) then
      return 0
    end
  end
end
for place, line in ipairs(lines) do
  local rule = rule_at(4 + (place - 1) * 7)
  if line[4] ~= CONCURRENT then
    redis.call('HINCRBY', line[1], 'h' .. line[2], rule.amount)
    if line[2] >= number(redis.call('HGET', line[1], 'f')) then
      redis.call('HINCRBY', line[1], 'h', rule.amount)
    end
    line[3] = line[3] + rule.amount
  end
end
redis.call('HSET', HOLDS, id, cmsgpack.pack(lines))
return 1
