-- project, room, most uids -> uids
return redis.call('ZRANGE', room_key(ARGV[1], ARGV[2]), 0, ARGV[3] - 1)
