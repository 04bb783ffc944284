-- lease, project, uid, generation -> status, rooms...
local lease, project, uid, generation = unpack(ARGV)
local status = check(project, uid, generation, lease, now_ms())
if status ~= OK then return {status} end
local stored_lease = redis.call('HGET', user_key(project, uid), 'lease')
return {OK, unpack(drop(project, uid, stored_lease))}
