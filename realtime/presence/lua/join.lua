-- lease, project, uid, generation, room -> status
local lease, project, uid, generation, room = unpack(ARGV)
local now = now_ms()
local status = check(project, uid, generation, lease, now)
if status == OK then
  redis.call('SADD', rooms_key(project, uid), room)
  redis.call('ZADD', room_key(project, room), 'NX', now, uid)
end
return status
