-- lease, project, uid, generation, room -> status
local lease, project, uid, generation, room = unpack(ARGV)
local status = check(project, uid, generation, lease, now_ms())
if status == OK then
  redis.call('SREM', rooms_key(project, uid), room)
  redis.call('ZREM', room_key(project, room), uid)
end
return status
