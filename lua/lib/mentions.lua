-- Whom the message of the arg `mentions` mentions: those who may read the channel; others are left out without a word. Sets `to`, what
-- stands in the message, and `pushes`, the ids of those who are to be told, where there are any. At most 50, the replica sends no more; none where it knows none
-- of those that were named.
local ids, names, keys, wants = {}, {}, {}, {}
for id, name, key, push in string.gmatch(mentions, '([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31') do
  ids[#ids + 1], names[#names + 1], keys[#keys + 1], wants[#wants + 1] = id, name, key, push
end
local inside = restricted and ids[1] and redis.call('HMGET', members, unpack(keys))
local text = ''
local told = {}
for i, id in ipairs(ids) do
  if not restricted or inside[i] then
    text = text .. id .. '\31' .. names[i] .. '\31'
    if wants[i] == '1' then told[#told + 1] = id end
  end
end
if text ~= '' then to = text end
if told[1] then pushes = told end
