-- lease, most removals, new epoch -> removals: {project, uid, generation, rooms}
local lease, limit, new_epoch = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local now = now_ms()
ensure_life(now, new_epoch)
if not is_live(lease, now) or in_grace(now) then return {} end

local removed = {}

-- `member`: "<project>:<uid>"; `tell`: whether the node that has the session is to hear of it.
local function remove(member, tell)
  local project, uid = string.match(member, '^(%d+):(.*)$')
  local stored = redis.call('HMGET', user_key(project, uid), 'generation', 'lease')
  local generation, stored_lease = unpack(stored)
  if tell and node_of(stored_lease) ~= node_of(lease) then
    evict(project, uid, generation, stored_lease, 'removed')
  end
  local rooms = drop(project, uid, stored_lease)
  removed[#removed + 1] = {tonumber(project), uid, tonumber(generation), rooms}
end

local gone = redis.call('ZRANGEBYSCORE', GONE, '-inf', now - GONE_REMOVAL_MS, 'LIMIT', 0, limit)
for _, member in ipairs(gone) do remove(member, true) end

for _, dead in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now - LEASE_REMOVAL_MS)) do
  if #removed < limit then
    for _, member in ipairs(redis.call('SRANDMEMBER', held_key(dead), limit - #removed)) do remove(member) end
  end
  if redis.call('EXISTS', held_key(dead)) == 0 then redis.call('ZREM', LEASES, dead) end
end
return removed
