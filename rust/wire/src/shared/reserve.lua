-- Charges every account with the most that a request may come to, or none.
--
-- KEYS[3...] the accounts. ARGV: time, by when it is of use at the latest (0: always), the hold's id, whether the caller
-- can ask the database, seven an account.
-- Answers HELD and three figures an account: used, when the oldest of it leaves, whether it would have refused; REFUSED:
-- which, used, how long to wait (-1: it does not help); CLAIM and five figures a durable account that the caller is to
-- ask the database about: which, slot, its end, how much more is needed, how much is wanted (no figures: somebody who can
-- ask it has to); WAIT: others are asking; CLOCK: the slots are of another time; LATE: nobody waits for the answer any more.

local by, id, can_ask = tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'
if by > 0 and now > by then
  return { LATE, now }
end

-- How long until so much more fits if nothing else comes.
local function wait_of(account, rule)
  if rule.measure == CONCURRENT then
    return 1000
  end
  local used, slots, fields = account.u + account.h, {}, {}
  local slot = account.f or account.slot
  while slot <= account.slot and #slots < 130 do
    slots[#slots + 1] = slot
    fields[#fields + 1] = 's' .. slot
    fields[#fields + 1] = 'h' .. slot
    slot = rule.width > 0 and slot + rule.width or account.slot + 1
  end
  local got = redis.call('HMGET', account.key, unpack(fields))
  for place, each in ipairs(slots) do
    used = used - number(got[2 * place - 1]) - number(got[2 * place])
    if used + rule.amount <= rule.most then
      local at = leaves(rule, each)
      return at > 0 and at - now or -1
    end
  end
  return -1
end

local rules, accounts, refusal, short = {}, {}, nil, {}
for place = 3, #KEYS do
  local rule = rule_at(5 + (place - 3) * 7)
  if is_of_another_time(rule) then
    return { CLOCK, now }
  end
  local account = opened(KEYS[place], rule)
  rules[#rules + 1], accounts[#accounts + 1] = rule, account
  account.known, account.used_now = not rule.durable or account.asked ~= nil, account.spent_now + account.held_now
  local used = account.u + account.h
  if not account.known and rule.enforced then
    short[#short + 1] = #accounts
  elseif used + rule.amount <= rule.most then
    if rule.durable and rule.enforced and account.used_now + rule.amount > account.granted then
      short[#short + 1] = #accounts
    end
  elseif rule.enforced then
    local wait = wait_of(account, rule)
    if not refusal or (refusal[5] >= 0 and (wait < 0 or wait > refusal[5])) then
      refusal = { REFUSED, now, #accounts - 1, used, wait }
    end
  else
    account.shadowed = true
  end
end
if refusal then
  -- What is spent elsewhere may have become less since the database was asked last.
  local refusing = accounts[refusal[3] + 1]
  if refusing.asked and now - refusing.asked > RECENT_MS then
    redis.call('SADD', DIRTY, refusing.key)
  end
  return refusal
end

if #short > 0 and not can_ask then
  return { CLAIM, now }
end
if #short > 0 then
  local claims = { CLAIM, now }
  for _, place in ipairs(short) do
    local rule, account = rules[place], accounts[place]
    if number(redis.call('HGET', account.key, 't')) <= now then
      redis.call('HSET', account.key, 'k', id, 't', now + CLAIM_MS)
      redis.call('PEXPIRE', account.key, KEPT_MS)
      local need = account.used_now + rule.amount
      local claim = claim_of(need, rule.most, rule.amount)
      local figures = {
        place - 1, account.slot, leaves(rule, account.slot), need - account.granted, claim - account.granted,
      }
      for _, figure in ipairs(figures) do
        claims[#claims + 1] = figure
      end
    end
  end
  return #claims > 2 and claims or { WAIT, now }
end

-- What is to be written of a durable account beside what is held, where it is not what stands there.
local function add_durable(fields, account, rule)
  local told, enforced = account.told, rule.enforced and 1 or 0
  local is_new = not account.known or account.c ~= account.slot
  if is_new or told.most ~= rule.most or told.enforced ~= enforced then
    for _, field in ipairs({ 'm', rule.most, 'o', enforced, 'id', rule.id, 'g' .. account.slot, account.granted }) do
      fields[#fields + 1] = field
    end
    fields[#fields + 1] = 'e' .. account.slot
    fields[#fields + 1] = leaves(rule, account.slot)
  end
  if rule.amount > told.amount or rule.amount < told.amount / 2 then
    fields[#fields + 1] = 'n'
    fields[#fields + 1] = rule.amount
  end
  local _, lease = claim_of(0, rule.most, rule.amount)
  local left = account.granted - account.used_now - rule.amount
  if not account.known or (account.granted < rule.most and left < lease / 2) then
    redis.call('SADD', DIRTY, account.key)
  end
end

local lines, answer = {}, { HELD, now }
for place, account in ipairs(accounts) do
  local rule = rules[place]
  local key, slot = account.key, account.slot
  local fields = { 'h', account.h + rule.amount, 'h' .. slot, account.held_now + rule.amount }
  if rule.durable then
    add_durable(fields, account, rule)
  end
  local is_new = account.c ~= slot or not account.f
  if is_new then
    for _, field in ipairs({ 'u', account.u, 'f', account.f or slot, 'c', slot }) do
      fields[#fields + 1] = field
    end
  end
  redis.call('HSET', key, unpack(fields))
  if is_new or now % SELDOM == 0 then
    local kept_ms = rule.width > 0 and 2 * (rule.width + rule.span) + 60000 or KEPT_MS
    redis.call('PEXPIRE', key, rule.durable and math.max(kept_ms, KEPT_MS) or kept_ms)
  end
  lines[place] = { key, slot, rule.amount, rule.measure, rule.durable }
  answer[#answer + 1] = account.u + account.h + rule.amount
  answer[#answer + 1] = leaves(rule, account.f or slot)
  answer[#answer + 1] = account.shadowed and 1 or 0
end
redis.call('HSET', HOLDS, id, cmsgpack.pack(lines))
return answer
