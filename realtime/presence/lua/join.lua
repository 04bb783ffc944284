-- lease, project, uid, generation, room -> status
local lease, project, uid, generation, room = unpack(ARGV)
local now = now_ms()
local status = check(project, uid, generation, lease, now)
if status == OK then enter(project, uid, room, now) end
return status
