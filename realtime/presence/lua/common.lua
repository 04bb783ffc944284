-- Put before every script, after the constants that redis.py writes (PREFIX and the *_MS).
--
--   meta             hash: epoch, run (the server's run_id when the epoch began), grace_until
--   leases           sorted set: lease -> when it was renewed. A lease is "<node>#<life>"
--   gone             sorted set: "<project>:<uid>" -> since when there is no sign of life
--   held:<lease>     set of "<project>:<uid>"
--   evictions:<node> set of "<project>:<generation>:<reason>:<uid>"; expires
--   {<project>}:user:<uid>    hash: session, generation, lease, since, levels, levels_at, gone, capabilities
--   {<project>}:rooms:<uid>   set of rooms
--   {<project>}:room:<room>   sorted set: uid -> when it joined, or later: no two alike, so that they are in order
--   {<project>}:logins:<uid>  "<last generation> <last login but one, 0: none> <last login>"; expires
--
-- Answers begin with one of these:
local OK, STALE, UNKNOWN, NO_LEASE = 1, 0, -1, -2

local META, LEASES, GONE = PREFIX .. 'meta', PREFIX .. 'leases', PREFIX .. 'gone'

local function held_key(lease) return PREFIX .. 'held:' .. lease end
local function evictions_key(node) return PREFIX .. 'evictions:' .. node end
local function user_key(project, uid) return PREFIX .. '{' .. project .. '}:user:' .. uid end
local function rooms_key(project, uid) return PREFIX .. '{' .. project .. '}:rooms:' .. uid end
local function room_key(project, room) return PREFIX .. '{' .. project .. '}:room:' .. room end
local function logins_key(project, uid) return PREFIX .. '{' .. project .. '}:logins:' .. uid end
local function node_of(lease) return string.match(lease, '^(.*)#') end

-- From now on the lease is lost: a write under it that is still on its way will be refused.
local function end_lease(lease, now) redis.call('ZADD', LEASES, 'XX', 'LT', now - LEASE_LOST_MS, lease) end

-- The epoch. An empty store, and one whose server was restarted or replaced and so may have lost the latest
-- writes, begins a new life: a new epoch, a grace, and every lease is lost.
local function ensure_life(now, new_epoch)
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local meta = redis.call('HMGET', META, 'run', 'epoch')
  if meta[1] == run then return meta[2] end
  for _, lease in ipairs(redis.call('ZRANGE', LEASES, 0, -1)) do end_lease(lease, now) end
  redis.call('HSET', META, 'run', run, 'epoch', new_epoch, 'grace_until', now + GRACE_MS)
  return new_epoch
end

local function in_grace(now) return now < tonumber(redis.call('HGET', META, 'grace_until')) end

local function is_live(lease, now)
  local renewed = redis.call('ZSCORE', LEASES, lease)
  return renewed and now - renewed < LEASE_LOST_MS
end

-- OK if `generation` is the uid's current one and the writer's lease is live.
local function check(project, uid, generation, lease, now)
  if not is_live(lease, now) then return NO_LEASE end
  local stored = tonumber(redis.call('HGET', user_key(project, uid), 'generation') or 0)
  if stored == tonumber(generation) then return OK end
  return stored > tonumber(generation) and STALE or UNKNOWN
end

-- Moves the uid from one lease to another; either may be nil.
local function hold(project, uid, from, to)
  if from then redis.call('SREM', held_key(from), project .. ':' .. uid) end
  if to then redis.call('SADD', held_key(to), project .. ':' .. uid) end
end

local function enter(project, uid, room, now)
  local key = room_key(project, room)
  local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]
  redis.call('SADD', rooms_key(project, uid), room)
  redis.call('ZADD', key, 'NX', last and math.max(now, last + 1) or now, uid)
end

-- Removes the session and returns the rooms it was in.
local function drop(project, uid, lease)
  local rooms = redis.call('SMEMBERS', rooms_key(project, uid))
  for _, room in ipairs(rooms) do redis.call('ZREM', room_key(project, room), uid) end
  redis.call('DEL', rooms_key(project, uid), user_key(project, uid))
  redis.call('ZREM', GONE, project .. ':' .. uid)
  hold(project, uid, lease, nil)
  return rooms
end

-- `generation` is text: a number would lose its last digits.
local function evict(project, uid, generation, lease, reason)
  local key = evictions_key(node_of(lease))
  redis.call('SADD', key, project .. ':' .. generation .. ':' .. reason .. ':' .. uid)
  redis.call('PEXPIRE', key, EVICTIONS_KEPT_MS)
end
