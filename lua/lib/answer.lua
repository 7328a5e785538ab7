-- Answers of a script. ok(word, …): done; refuse(code, name, value…): nothing was written. Both carry Redis' time.
local function ok(word, ...) return { word, now, ... } end
local function refuse(code, ...) return { 'refused', now, code, ... } end
