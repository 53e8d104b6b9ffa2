-- What accounts stand at. KEYS and ARGV as to reserve, without whether the caller can ask; three figures an account:
-- spent, held, when the oldest leaves.

local answer = {}
for place = 3, #KEYS do
  local rule = rule_at(4 + (place - 3) * 7)
  local account = opened(KEYS[place], rule)
  answer[#answer + 1] = account.u
  answer[#answer + 1] = account.h
  answer[#answer + 1] = leaves(rule, account.f or account.slot)
end
return { now, answer }
