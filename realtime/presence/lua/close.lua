-- lease: its sessions count as gone from now on
local lease = ARGV[1]
if redis.call('EXISTS', held_key(lease)) == 0 then
  redis.call('ZREM', LEASES, lease)
else
  redis.call('ZADD', LEASES, 'XX', 'LT', now_ms() - LEASE_RENEW_MS, lease)
end
return OK
