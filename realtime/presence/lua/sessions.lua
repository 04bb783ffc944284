-- project, uids... -> for each: nothing, or 1 if unreachable, node, generation, since, session, capabilities
local now = now_ms()
local live = {}
local states = {}
for i = 2, #ARGV do
  local stored = redis.call('HMGET', user_key(ARGV[1], ARGV[i]), 'lease', 'generation', 'since', 'gone', 'session',
    'capabilities')
  local lease, generation, since, gone, session, capabilities = unpack(stored)
  if lease then
    if live[lease] == nil then live[lease] = is_live(lease, now) or false end
    local unreachable = not live[lease] or gone and now - gone >= UNREACHABLE_MS
    states[i - 1] = {unreachable and 1 or 0, node_of(lease), tonumber(generation), tonumber(since), session,
      capabilities or ''}
  else
    states[i - 1] = false
  end
end
return states
