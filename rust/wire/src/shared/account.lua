-- What all scripts begin with: the time, an account and its slots.
--
-- KEYS[1] the holds of one process (a hash: id -> lines, packed), KEYS[2] the accounts that the database is behind with.
-- ARGV[1] the time in Unix milliseconds; 0: this server's own.
--
-- An account is a hash. `u` is what was spent of the slots that count, `h` what is held of them, `f` and `c` the first and
-- the latest of these slots. Of each slot there is `s<slot>`, spent; `h<slot>`, held; and where the rule is durable
-- `g<slot>`, granted: what the database has been told of and may be used here; `r<slot>`, spent and not yet told;
-- `e<slot>`, when it ends. A durable account also has its name for the database (`id`), when that was asked last (`a`), the
-- figures of its rule (`m` most, `o` enforced, `n` the last amount), and who is talking of it with the database (`k`) and
-- until when at most (`t`).

local HOLDS, DIRTY = KEYS[1], KEYS[2]
local HELD, REFUSED, CLAIM, WAIT, CLOCK, LATE = 0, 1, 2, 3, 4, 5
local REQUESTS, TOKENS, CONCURRENT, COST = 0, 1, 2, 3
local CLAIM_MS = 2000
local RECENT_MS = 1000
local KEPT_MS = 40 * 86400000
-- Of so many milliseconds there is one in which keys are kept on that are in use without a new slot.
local SELDOM = 256

local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local function number(value)
  return tonumber(value) or 0
end

-- Seven arguments a rule: most, amount, flags, width of a slot; the span that slides, or the slot of now and its end; the
-- account's name for the database. What is not enforced needs nothing granted: nobody waits for what refuses nobody.
local function rule_at(at)
  local flags = tonumber(ARGV[at + 2])
  local rule = {
    most = tonumber(ARGV[at]),
    amount = tonumber(ARGV[at + 1]),
    enforced = flags % 2 == 1,
    durable = math.floor(flags / 2) % 2 == 1,
    measure = math.floor(flags / 4),
    width = tonumber(ARGV[at + 3]),
  }
  if rule.width > 0 then
    rule.span = tonumber(ARGV[at + 4])
    rule.slot = now - now % rule.width
  else
    rule.slot = tonumber(ARGV[at + 4])
    rule.ends = tonumber(ARGV[at + 5])
  end
  rule.id = ARGV[at + 6]
  return rule
end

-- Whether the slot that the client took for now's is not: its clock is another.
local function is_of_another_time(rule)
  return rule.width == 0 and (now < rule.slot or (rule.ends > 0 and now >= rule.ends))
end

-- When a slot no longer counts; 0: never.
local function leaves(rule, slot)
  if rule.width > 0 then
    return slot + rule.width + rule.span
  end
  return rule.ends
end

local function has_left(rule, slot)
  if rule.width == 0 then
    return slot < rule.slot
  end
  return leaves(rule, slot) <= now
end

-- What is read of an account: of one that is durable more, since looking for a field of a small hash is a search.
local function read(key, rule, slot)
  if rule.durable then
    local names = { 'u', 'h', 'f', 'c', 'h' .. slot, 's' .. slot, 'g' .. slot, 'a', 'm', 'o', 'n' }
    return redis.call('HMGET', key, unpack(names))
  end
  return redis.call('HMGET', key, 'u', 'h', 'f', 'c', 'h' .. slot)
end

-- An account, without what no longer counts, and what stands in its slot of now.
local function opened(key, rule)
  local slot = rule.slot
  local got = read(key, rule, slot)
  local latest = tonumber(got[4])
  if latest and latest > slot then
    -- The clock went back. The latest counts: nothing is used twice, and nothing comes back.
    slot = latest
    got = read(key, rule, slot)
  end
  local account = {
    key = key, u = number(got[1]), h = number(got[2]), f = tonumber(got[3]), c = latest, slot = slot,
    held_now = number(got[5]), spent_now = number(got[6]), granted = number(got[7]), asked = tonumber(got[8]),
    told = { most = number(got[9]), enforced = number(got[10]), amount = number(got[11]) },
  }
  if not account.f or not has_left(rule, account.f) then
    return account
  end
  local first = account.f
  while first <= (latest or account.f) do
    local old = redis.call('HMGET', key, 's' .. first, 'h' .. first)
    if has_left(rule, first) then
      account.u = account.u - number(old[1])
      account.h = account.h - number(old[2])
      if not rule.durable and number(old[2]) == 0 then
        redis.call('HDEL', key, 's' .. first, 'h' .. first)
      end
    elseif old[1] or old[2] then
      break
    end
    first = rule.width > 0 and first + rule.width or math.max(rule.slot, first + 1)
  end
  account.f = first > (latest or account.f) and account.slot or first
  redis.call('HSET', key, 'u', account.u, 'h', account.h, 'f', account.f)
  if rule.durable then
    redis.call('SADD', DIRTY, key)
  end
  return account
end

-- How much is granted ahead: a hundredth of the limit, or one more request like the last.
local function claim_of(need, most, amount)
  local lease = math.max(math.floor(most / 100), amount)
  return math.max(math.min(need + lease, most), need), lease
end

-- Ends a line of a hold, in whose place `spent` was used; what was spent of the account before and after.
local function ended(line, spent)
  local key, slot, amount, durable = line[1], line[2], line[3], line[5]
  local got = redis.call('HMGET', key, 'f', 'u', 'h', 'h' .. slot, 's' .. slot, 'r' .. slot)
  local first, before = tonumber(got[1]), number(got[2])
  if not first then
    return 0, 0
  end
  local held, after = number(got[4]) - amount, before
  local fields = { 'h' .. slot, held, 's' .. slot, number(got[5]) + spent }
  if durable then
    fields[5], fields[6] = 'r' .. slot, number(got[6]) + spent
    redis.call('SADD', DIRTY, key)
  end
  if slot >= first then
    after = before + spent
    redis.call('HSET', key, 'h', number(got[3]) - amount, 'u', after, unpack(fields))
  elseif held == 0 and not durable then
    redis.call('HDEL', key, 's' .. slot, 'h' .. slot)
  else
    redis.call('HSET', key, unpack(fields))
  end
  return before, after
end

-- Settles a line at what was held: what its request came to is not known.
local function kept(line)
  return ended(line, line[4] == CONCURRENT and 0 or line[3])
end
