-- A process lives; holds of those that do not are settled at what was held.
--
-- KEYS[3] the processes, by when each was heard of last. ARGV: time, the process, how long one may be silent, what keys of
-- holds begin with. Answers how many there are, how many holds were ended, the time.

redis.call('ZADD', KEYS[3], now, ARGV[2])
redis.call('PEXPIRE', KEYS[3], KEPT_MS)
redis.call('PEXPIRE', HOLDS, KEPT_MS)
local reaped = 0
for _, silent in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now - tonumber(ARGV[3]), 'LIMIT', 0, 8)) do
  local holds = ARGV[4] .. silent
  for _, id in ipairs(redis.call('HRANDFIELD', holds, 200)) do
    local packed = redis.call('HGET', holds, id)
    redis.call('HDEL', holds, id)
    for _, line in ipairs(cmsgpack.unpack(packed)) do
      kept(line)
    end
    reaped = reaped + 1
  end
  if redis.call('HLEN', holds) == 0 then
    redis.call('ZREM', KEYS[3], silent)
  end
end
return { redis.call('ZCARD', KEYS[3]), reaped, now }
