-- lease, project, uid, generation -> status
local lease, project, uid, generation = unpack(ARGV)
local status = check(project, uid, generation, lease, now_ms())
if status == OK then
  redis.call('HDEL', user_key(project, uid), 'gone')
  redis.call('ZREM', GONE, project .. ':' .. uid)
end
return status
