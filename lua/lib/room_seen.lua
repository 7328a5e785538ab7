-- The room is in use. Its log and roster expire a little after it falls asleep, or after its last word at the end of its lifetime.
--- @include lib/number
local function keep(from)
  redis.call('HSET', room, 'life', struct.pack('<dd', ends, from) .. digest)
  local at = string.format('%d', math.ceil(math.min(from + idle_ms * 1000 + 2 * step, ends + 6000000) / 1000) + 1000)
  redis.call('PEXPIREAT', log, at)
  redis.call('PEXPIREAT', people, at)
end
-- Notes that the participant is there: now, and until `parked` (µs, 0: no longer), and has the log up to `has`. Written when it moved by a step.
local function notice(parked, has)
  if now - noticed >= step or parked ~= parked_until or has > given then
    redis.call('HSET', people, participant, table.concat({ place, int(now), int(parked), int(math.max(given, has)), about }, '\31'))
  end
  if now - seen >= step then keep(now) end
end
