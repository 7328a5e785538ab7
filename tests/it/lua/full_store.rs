//! A Redis that is full: what would need room is refused as a whole, what frees room or finishes work goes on.

use crate::support::redis::RedisServer;
use crate::support::script::{Bench, CHANNEL, SECOND};

#[test]
fn a_full_redis_refuses_new_work_whole_and_lets_running_work_end() {
    for redis in [RedisServer::start_private(&[]), RedisServer::start_private_cluster(&[])] {
        let b = &Bench::new(redis.clone());
        b.channel(&[]);
        let [acked, released, beaten, retracted, given_back, open] = [b.post(), b.post(), b.post(), b.post(), b.post(), b.post()];
        for n in [acked, released, beaten, given_back] {
            b.claim(n, 60_000);
        }
        redis.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
        let before = b.dump();
        for (name, n) in [("messages/post", 0), ("claims/claim", open), ("claims/next", 0)] {
            let ask = if n == 0 { b.ask(name) } else { b.ask(name).with("n", n) };
            let error = ask.once("r").send().expect_err(name);
            assert_eq!(error.code(), Some("OOM"), "{name}: {error}");
        }
        assert_eq!(b.dump(), before);

        // A result needs room; without one the work can be ended.
        let error = b.ask("claims/ack_with_result").with("n", acked).send().expect_err("a result");
        assert_eq!((error.code(), b.dump()), (Some("OOM"), before));
        b.ask("claims/ack").with("n", acked).once("a").run().ok("acknowledged");
        b.ask("claims/release").with("n", released).once("b").run().ok("released");
        b.ask("claims/heartbeat").with("n", beaten).with("lease_ms", 5000).once("c").run().ok("extended");
        b.ask("claims/give_back").with("n", given_back).run().ok("returned");
        b.ask("messages/retract").with("n", retracted).once("d").run().ok("retracted");
        b.pass(6 * SECOND);
        assert_eq!(b.listed("messages/list").len(), 5);
        assert_eq!(b.listed("messages/list_unclaimed"), [released, beaten, given_back, open], "an ended lease comes back");
        assert_eq!(b.listed("messages/list_claimed"), [acked]);
        b.ask("api_keys/admit").with("most", 5).send().expect("who asks is still known");
        b.ask("members/remove").with("member", "bck_x").run().no("member_not_found");
        b.ask("channels/delete").run().ok("deleted");
        assert!(!b.dump().contains(&format!("{{{CHANNEL}}}:meta")), "{}", b.dump());
        redis.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    }
}
