-- Whether a change of a key comes in time after its announcement, which was made later than this server's time `announced`: replicas that read
-- of it reckon with 5 s (src/api_keys/news.rs). A change that was held up, or whose server's clock went back, has to be announced again.
local function in_time() return now >= announced and now <= announced + 4000000 end
