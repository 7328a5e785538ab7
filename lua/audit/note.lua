--[[
audit/note: an event in the audit of one key, where its effect lies in another slot.

@slot key
@flags allow-oom
@key audit    stream
@arg event_id text
@arg event    text  what happened, to whom, by whom, from where, further details, joined by \31
@arg keep     int   most events
@arg keep_ms  int
@ok  noted
]]
--- @include lib/answer
--- @include lib/audit

note(audit)
return ok('noted')
