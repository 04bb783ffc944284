-- lease, project, uid, reason -> status (UNKNOWN: no session), node, generation, rooms...
local lease, project, uid, reason = unpack(ARGV)
if not is_live(lease, now_ms()) then return {NO_LEASE} end
local stored = redis.call('HMGET', user_key(project, uid), 'generation', 'lease')
local generation, stored_lease = unpack(stored)
if not generation then return {UNKNOWN} end
if node_of(stored_lease) ~= node_of(lease) then evict(project, uid, generation, stored_lease, reason) end
return {OK, node_of(stored_lease), tonumber(generation), unpack(drop(project, uid, stored_lease))}
