-- What a script kept of its first answer to this very request: `facts`, nil where there was none. Ends the script where another body comes with its key.
local facts
if idem_ms > 0 then
  --- @include lib/answer
  --- @include lib/once
  local first, reused = seen()
  if reused then return reused end
  facts = first
end
