--[[
audit/file: an event in the audit of the whole instance, where its effect lies in another slot.

@slot mint
@flags allow-oom
@key audit_of_all stream
@arg event_id text
@arg event    text  what happened, to whom, by whom, from where, further details, joined by \31
@arg keep     int   most events
@arg keep_ms  int
@ok  filed
]]
--- @include lib/answer
--- @include lib/audit

note(audit_of_all)
return ok('filed')
