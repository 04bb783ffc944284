-- lease, project, uid, wanted session or empty, new session, login window in ms or empty: the default,
-- capabilities
-- -> status (STALE: too often), session, generation, 1 if resumed, since, rooms, previous node, previous generation,
--    previous session, levels, their age, previous login, now
local lease, project, uid, wanted, new_session, window, capabilities = unpack(ARGV)
local now = now_ms()
if not is_live(lease, now) then return {NO_LEASE} end

local last, older, newer = string.match(
  redis.call('GET', logins_key(project, uid)) or '', '^(%d+) (%d+) (%d+)$')
if last and now - newer >= LOGINS_KEPT_MS then last, older, newer = nil, nil, nil end
local age = now - (older or 0)
if age >= 0 and age < (tonumber(window) or LOGIN_WINDOW_MS) then return {STALE} end

local user = user_key(project, uid)
local stored = redis.call('HMGET', user, 'session', 'generation', 'lease', 'since', 'levels', 'levels_at')
local session, stored_generation, stored_lease, since, levels, levels_at = unpack(stored)
local last_generation = math.max(tonumber(last or 0), tonumber(stored_generation or 0))
local generation = math.max(now, last_generation + 1)
redis.call('SET', logins_key(project, uid), string.format('%.0f %.0f %.0f', generation, newer or 0, now),
  'PX', LOGINS_KEPT_MS)

local resumed = session and session == wanted
if session and node_of(stored_lease) ~= node_of(lease) then
  evict(project, uid, stored_generation, stored_lease, resumed and 'superseded' or 'remote_login')
end

local rooms = {}
if resumed then
  rooms = redis.call('SMEMBERS', rooms_key(project, uid))
  hold(project, uid, stored_lease, lease)
  redis.call('ZREM', GONE, project .. ':' .. uid)
  redis.call('HDEL', user, 'gone')
  redis.call('HSET', user, 'generation', generation, 'lease', lease, 'capabilities', capabilities)
else
  if session then rooms = drop(project, uid, stored_lease) end
  since = now
  redis.call('HSET', user, 'session', new_session, 'generation', generation, 'lease', lease, 'since', since,
    'capabilities', capabilities)
  if levels and levels ~= '' then redis.call('HSET', user, 'levels', levels, 'levels_at', levels_at) end
  hold(project, uid, nil, lease)
end

return {
  OK, resumed and wanted or new_session, generation, resumed and 1 or 0, tonumber(since), rooms,
  session and node_of(stored_lease), session and tonumber(stored_generation), session,
  levels or '', levels and levels ~= '' and now - levels_at or 0,
  last_generation > 0 and math.min(last_generation, now), now,
}
