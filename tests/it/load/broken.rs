//! Scripts broken on purpose: k6 has to say so, each time by the count that is named for it.

use std::fs;
use std::path::{Path, PathBuf};

use futures::future::join_all;

use super::{K6, Ran};
use crate::support::fleet::Fleet;
use crate::support::process::{scratch, serial};

/// One way to break a script, and who notices.
struct Broken {
    what: &'static str,
    /// Under `lua/`, without `.lua`; a text that is there once; what stands there instead.
    edit: (&'static str, &'static str, &'static str),
    scenario: &'static str,
    /// A count of the scenario, and the only one that need be other than 0.
    noticed_by: &'static str,
}

const BROKEN: &[Broken] = &[
    Broken {
        what: "claim-next leaves the message among the unclaimed",
        edit: ("claims/next", "redis.call('ZREM', open, unpack(taken))\n", ""),
        scenario: "claim_next",
        noticed_by: "duplicate_claims",
    },
    Broken {
        what: "ack writes nothing",
        edit: ("lib/ack", "redis.call('HSET', claims, n, record)\n", ""),
        scenario: "handoff",
        noticed_by: "lost",
    },
    Broken {
        what: "post puts only three of four messages up for claiming",
        edit: ("messages/post", "redis.call('ZADD', open, id, id)", "if n % 4 > 0 then redis.call('ZADD', open, id, id) end"),
        scenario: "claim_next",
        noticed_by: "unaccounted",
    },
    Broken {
        what: "a list begins with what the reader has seen",
        edit: ("messages/list", "'(' .. sid(math.max(cursor, dead, 0))", "sid(math.max(cursor, dead, 0))"),
        scenario: "fan_out",
        noticed_by: "duplicate_deliveries",
    },
    Broken {
        what: "a room tells senders the wrong index",
        edit: ("rooms/send", "struct.pack('<Bdd', 0xc1, now, length - 1)", "struct.pack('<Bdd', 0xc1, now, length)"),
        scenario: "rooms",
        noticed_by: "lost",
    },
];

/// A directory for `BACKCHANNEL_TEST_LUA_DIR` with the one file that is broken.
fn scripts_of(broken: &Broken) -> PathBuf {
    let (file, find, put) = broken.edit;
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("lua").join(format!("{file}.lua"));
    let text = fs::read_to_string(&from).expect("an edit names a file under lua/");
    assert_eq!(text.matches(find).count(), 1, "{}: once in {}:\n{find}", broken.what, from.display());
    let dir = scratch().join(format!("k6-lua-{}", serial()));
    let to = dir.join(format!("{file}.lua"));
    fs::create_dir_all(to.parent().expect("a file is in a directory")).unwrap();
    fs::write(to, text.replace(find, put)).unwrap();
    dir
}

/// Of each run, until one notices: how much happens in two seconds is up to the machine.
const SECONDS: [&str; 3] = ["2", "6", "15"];

/// None: k6 has noticed it.
fn missed_by(ran: &Ran, broken: &Broken) -> Option<String> {
    let count = ran.summary["flows"][broken.scenario][broken.noticed_by].as_i64();
    let named = format!("{}{{flow:{}}}: count==0", broken.noticed_by, broken.scenario);
    let noticed = ran.status == Some(99) && count.is_some_and(|n| n != 0) && ran.summary["broken_thresholds"].to_string().contains(&named);
    (!noticed).then(|| format!("{}: k6 ended with {:?}\n{}", broken.what, ran.status, ran.said))
}

#[tokio::test]
async fn k6_notices_scripts_that_lose_or_double() {
    let missed = join_all(BROKEN.iter().map(|broken| async move {
        let dir = scripts_of(broken);
        let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_TEST_LUA_DIR", &dir.display().to_string()).start().await;
        let mut missed = None;
        for seconds in SECONDS {
            let k6 = K6::against(&fleet, &[fleet.url(0)]).with("SCENARIO", broken.scenario).with("SECONDS", seconds).with("TAIL", "1");
            missed = missed_by(&k6.run().await, broken);
            if missed.is_none() {
                break;
            }
        }
        fleet.abandon();
        missed
    }))
    .await;
    let missed: Vec<String> = missed.into_iter().flatten().collect();
    assert!(missed.is_empty(), "not noticed:\n{}", missed.join("\n"));
}
