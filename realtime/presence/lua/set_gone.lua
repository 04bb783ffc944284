-- lease, project, uid, generation, ms without a sign of life, levels -> status
local lease, project, uid, generation, silent, levels = unpack(ARGV)
local now = now_ms()
local status = check(project, uid, generation, lease, now)
if status == OK then
  local user = user_key(project, uid)
  local gone = now - silent
  local earlier = redis.call('HGET', user, 'gone')
  if earlier then gone = math.min(gone, tonumber(earlier)) end
  redis.call('HSET', user, 'gone', gone, 'levels', levels, 'levels_at', now)
  redis.call('ZADD', GONE, gone, project .. ':' .. uid)
end
return status
