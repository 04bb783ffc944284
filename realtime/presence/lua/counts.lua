-- project, rooms... -> sizes
local sizes = {}
for i = 2, #ARGV do sizes[i - 1] = redis.call('ZCARD', room_key(ARGV[1], ARGV[i])) end
return sizes
