-- Puts what was used in the place of what was held, once: of a hold that is gone nothing is changed.
--
-- ARGV: time, the hold's id, whether what was used is known, and it: requests, tokens, cost.
-- Answers what was spent of each account before and after.

local packed = redis.call('HGET', HOLDS, ARGV[2])
if not packed then
  return {}
end
redis.call('HDEL', HOLDS, ARGV[2])
local used = {
  [REQUESTS] = tonumber(ARGV[4]), [TOKENS] = tonumber(ARGV[5]), [CONCURRENT] = 0, [COST] = tonumber(ARGV[6]),
}
local answer = {}
for _, line in ipairs(cmsgpack.unpack(packed)) do
  local before, after
  if ARGV[3] == '1' then
    before, after = ended(line, used[line[4]])
  else
    before, after = kept(line)
  end
  answer[#answer + 1] = before
  answer[#answer + 1] = after
end
return answer
