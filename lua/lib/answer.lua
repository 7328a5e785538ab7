-- Answers of a script. ok(word, …): done; refuse(code, name, value…): nothing was written. Both carry Redis' time.
-- Packed: to read one text costs a replica far less than to read a list, value by value.
local function ok(word, ...) return cmsgpack.pack({ word, now, ... }) end
local function refuse(code, ...) return { 'refused', now, code, ... } end
