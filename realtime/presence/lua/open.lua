-- lease, new epoch
local now = now_ms()
ensure_life(now, ARGV[2])
redis.call('ZADD', LEASES, now, ARGV[1])
return OK
