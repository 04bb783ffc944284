-- new epoch -> epoch, 1 if settled
local now = now_ms()
local epoch = ensure_life(now, ARGV[1])
return {epoch, in_grace(now) and 0 or 1}
