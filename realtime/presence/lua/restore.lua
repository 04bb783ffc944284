-- lease, msgpack list of {project, uid, session, generation, since, rooms, ms without a sign of life or -1, levels,
-- capabilities}
-- -> status, places (from 0) of the records whose uid has a newer generation, or another session of the same one...
local lease = ARGV[1]
local now = now_ms()
if not is_live(lease, now) then return {NO_LEASE} end

local function restore(project, uid, session, generation, since, rooms, silent, levels, capabilities)
  local user = user_key(project, uid)
  local stored = redis.call('HMGET', user, 'session', 'generation', 'lease')
  local stored_session, stored_generation, stored_lease = unpack(stored)
  if stored_session then
    local newer_ms = tonumber(stored_generation) - generation
    if newer_ms > 0 or (newer_ms == 0 and stored_session ~= session) then return false end
  end

  if stored_session and tonumber(stored_generation) < generation then
    if node_of(stored_lease) ~= node_of(lease) then
      evict(project, uid, stored_generation, stored_lease,
        stored_session == session and 'superseded' or 'remote_login')
    end
    drop(project, uid, stored_lease)
    stored_lease = false
  end
  hold(project, uid, stored_lease, lease)

  local wanted = {}
  for _, room in ipairs(rooms) do wanted[room] = true end
  for _, room in ipairs(redis.call('SMEMBERS', rooms_key(project, uid))) do
    if not wanted[room] then
      redis.call('SREM', rooms_key(project, uid), room)
      redis.call('ZREM', room_key(project, room), uid)
    end
  end
  for _, room in ipairs(rooms) do enter(project, uid, room, now) end

  redis.call('HSET', user, 'session', session, 'generation', generation, 'lease', lease, 'since', since,
    'levels', levels, 'levels_at', now - math.max(silent, 0), 'capabilities', capabilities)
  if silent >= 0 then
    redis.call('HSET', user, 'gone', now - silent)
    redis.call('ZADD', GONE, now - silent, project .. ':' .. uid)
  else
    redis.call('HDEL', user, 'gone')
    redis.call('ZREM', GONE, project .. ':' .. uid)
  end
  return true
end

local answer = {OK}
for i, record in ipairs(cmsgpack.unpack(ARGV[2])) do
  if not restore(unpack(record)) then answer[#answer + 1] = i - 1 end
end
return answer
