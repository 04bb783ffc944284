-- lease, lease to take if that one is lost, 1: call it lost, new epoch, most evictions, evictions handed over...
-- -> 1 if lost, evictions
-- The second lease comes from the caller, so that a renewal whose answer did not arrive can be repeated.
local lease, next_lease, call_it_lost, new_epoch, limit = unpack(ARGV, 1, 5)
local now = now_ms()
ensure_life(now, new_epoch)

local lost = call_it_lost == '1' or not is_live(lease, now)
if lost then
  redis.call('HSET', META, 'grace_until', now + GRACE_MS)
  end_lease(lease, now)
end
redis.call('ZADD', LEASES, now, lost and next_lease or lease)

local key = evictions_key(node_of(lease))
for i = 6, #ARGV do redis.call('SREM', key, ARGV[i]) end
return {lost and 1 or 0, redis.call('SRANDMEMBER', key, limit)}
