//! Scripts broken on purpose: each promise that is broken so has to be noticed by the check that is named for it.
//!
//! A mutation that nothing notices is either no fault, or a hole in the checks. Keep the list in step with `lua/`: a text
//! that is no longer there fails the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use tokio::time::sleep;

use super::check::Check::{self, *};
use super::check::broken_promises;
use super::generators::run;
use super::world::{Plan, World, seed};
use crate::support::fleet::Fleet;
use crate::support::process::{scratch, serial};

/// One way to break the scripts.
struct Mutation {
    what: &'static str,
    edits: &'static [Edit],
    /// The check that has to notice it. Others may, too.
    noticed_by: Check,
}

struct Edit {
    /// Under `lua/`, without `.lua`.
    file: &'static str,
    find: &'static str,
    put: &'static str,
}

const fn edit(file: &'static str, find: &'static str, put: &'static str) -> Edit {
    Edit { file, find, put }
}

const MUTATIONS: &[Mutation] = &[
    Mutation {
        what: "claim by id takes what another holds",
        edits: &[edit("claims/claim", "  if held then\n", "  if false then\n")],
        noticed_by: OneHolder,
    },
    Mutation {
        what: "claim by id leaves the message among the unclaimed",
        edits: &[edit("claims/claim", "redis.call('ZREM', open, n) == 0", "not redis.call('ZSCORE', open, n)")],
        noticed_by: OneHolder,
    },
    Mutation {
        what: "claim by id does not look for the message among the unclaimed, or for a holder",
        edits: &[
            edit("claims/claim", "redis.call('ZREM', open, n) == 0", "redis.call('ZREM', open, n) > 1"),
            edit("claims/claim", "if record then\n", "if false then\n"),
        ],
        noticed_by: OneHolder,
    },
    Mutation {
        what: "claim by id starts over counting attempts",
        edits: &[edit("claims/claim", "record and string.format('%d', attempt + 1) or '1'", "'1'")],
        noticed_by: AttemptsRise,
    },
    Mutation {
        what: "claim by id under a lease forgets when it ends",
        edits: &[edit("claims/claim", "  redis.call('ZADD', leases, ends, n)\n", "")],
        noticed_by: AllIsDone,
    },
    Mutation {
        what: "claim-next leaves the message among the unclaimed",
        edits: &[edit("claims/next", "redis.call('ZREM', open, unpack(taken))\n", "")],
        noticed_by: OneHolder,
    },
    Mutation {
        what: "claim-next takes one more than it was asked for, and says nothing of it",
        edits: &[edit("claims/next", "'LIMIT', 0, max)", "'LIMIT', 0, max + 1)")],
        noticed_by: AttemptsRise,
    },
    Mutation {
        what: "claim-next gives one more than it was asked for",
        edits: &[edit("claims/next", "'LIMIT', 0, max)", "'LIMIT', 0, max + 1)")],
        noticed_by: NoMoreThanAsked,
    },
    Mutation {
        what: "claim-next gives what has expired",
        edits: &[edit("claims/next", "'(' .. string.format('%d', math.max(dead, 0))", "'(0'")],
        noticed_by: ExpiredIsGone,
    },
    Mutation {
        what: "claim-next forgets who took it",
        edits: &[edit("claims/next", "redis.call('HSET', claims, unpack(written))\n", "")],
        noticed_by: HolderIsHeard,
    },
    Mutation {
        what: "claim-next starts over counting attempts",
        edits: &[edit("claims/next", "string.format('%d', attempt + 1)", "'1'")],
        noticed_by: AttemptsRise,
    },
    Mutation {
        what: "claim-next forgets when the lease ends",
        edits: &[edit("claims/next", "  redis.call('ZADD', leases, unpack(leased))\n", "")],
        noticed_by: AllIsDone,
    },
    Mutation {
        what: "claim-next does not know its retries",
        edits: &[edit("claims/next", "remember(unpack(kept))\n", "")],
        noticed_by: OneEffectPerKey,
    },
    Mutation {
        what: "a retry of claim-next is given only the first of several",
        edits: &[edit("claims/next", "facts and #facts or 0, 2 do", "facts and math.min(#facts, 2) or 0, 2 do")],
        noticed_by: OneEffectPerKey,
    },
    Mutation {
        what: "who waits does not learn when the next lease ends",
        edits: &[edit("lib/next_lease", "return first[2] and first[2] + 0 or 0", "return 0")],
        noticed_by: WokenInTime,
    },
    Mutation {
        what: "what a client that hung up was given is not put back",
        edits: &[edit("claims/give_back", "  redis.call('ZADD', open, int(n), int(n))\n", "")],
        noticed_by: AllIsDone,
    },
    Mutation {
        what: "release keeps the lease",
        edits: &[edit("claims/release", "redis.call('HSET', claims, n, record)\n", "")],
        noticed_by: OthersAreNot,
    },
    Mutation {
        what: "release does not put the message back",
        edits: &[edit("claims/release", "redis.call('ZADD', open, n, n)\n", "")],
        noticed_by: AllIsDone,
    },
    Mutation {
        what: "release takes any token",
        edits: &[edit("claims/release", "its_secret == secret", "true")],
        noticed_by: OthersAreNot,
    },
    Mutation {
        what: "release wakes nobody",
        edits: &[edit("claims/release", "redis.pcall('SPUBLISH', wake, 'one')\n", "")],
        noticed_by: WokenInTime,
    },
    Mutation {
        what: "ack does not write that it is done",
        edits: &[edit("lib/ack", "and 'b' or 'd')", "and 'b' or 'h')")],
        noticed_by: DoneStaysDone,
    },
    Mutation {
        what: "ack writes nothing at all",
        edits: &[edit("lib/ack", "redis.call('HSET', claims, n, record)\n", "")],
        noticed_by: DoneStaysDone,
    },
    Mutation {
        what: "ack takes any token",
        edits: &[edit("lib/ack", "(its_secret ~= secret or its_key ~= key)", "its_key ~= key")],
        noticed_by: OthersAreNot,
    },
    Mutation {
        what: "ack leaves the lease, and its end reopens what is done",
        edits: &[
            edit("lib/ack", "if leased then redis.call('ZREM', leases, n) end\n", ""),
            edit(
                "lib/reclaim",
                "state == 'h' and lease_until ~= '0' and lease_until + 0 <= now",
                "state and not (state == 'h' and lease_until + 0 > now)",
            ),
        ],
        noticed_by: DoneStaysDone,
    },
    Mutation {
        what: "heartbeat takes any token",
        edits: &[edit("claims/heartbeat", "r.secret ~= secret or ", "")],
        noticed_by: OthersAreNot,
    },
    Mutation {
        what: "heartbeat does not write the new end",
        edits: &[edit("claims/heartbeat", "redis.call('HSET', claims, int(n), pack(r))\n", "")],
        noticed_by: HolderIsHeard,
    },
    Mutation {
        what: "a lease ends half a second early",
        edits: &[
            edit("lib/record_parts", "lease_until > now)", "lease_until > now + 500000)"),
            edit("lib/reclaim", "lease_until + 0 <= now", "lease_until + 0 <= now + 500000"),
            edit("lib/reclaim", "'-inf', now_text", "'-inf', string.format('%d', now + 500000)"),
        ],
        noticed_by: OneHolder,
    },
    Mutation {
        what: "a lease that ended holds on",
        edits: &[
            edit("lib/record_parts", "(lease_until == 0 or lease_until > now)", "true"),
            edit("lib/reclaim", "if over[1] then", "if false then"),
        ],
        noticed_by: AllIsDone,
    },
    Mutation {
        what: "ended leases are not returned",
        edits: &[edit("lib/reclaim", "redis.call('ZADD', open, unpack(opened))", "")],
        noticed_by: AllIsDone,
    },
    Mutation {
        what: "reclaim ends leases that run",
        edits: &[
            edit("lib/reclaim", "'-inf', now_text", "'-inf', '(+inf'"),
            edit("lib/reclaim", "state == 'h' and lease_until ~= '0' and lease_until + 0 <= now", "state == 'h'"),
        ],
        noticed_by: OneHolder,
    },
    Mutation {
        what: "post takes the millisecond for the time, and no higher number where that is taken",
        edits: &[
            edit(
                "messages/post",
                "local n, id = now, now_text\n",
                "local n, id = now - now % 1000, string.format('%d', now - now % 1000)\n",
            ),
            edit("messages/post", "if floor > now then", "if false then"),
            edit("messages/post", "n = last_number() + 1", "n = last_number()"),
        ],
        noticed_by: NothingFails,
    },
    Mutation {
        what: "post does not write the message",
        edits: &[edit(
            "messages/post",
            "else\n  added = redis.pcall('XADD'",
            "else\n  added = (n % 8 > 0 and redis.pcall or tostring)('XADD'",
        )],
        noticed_by: AckedIsKept,
    },
    Mutation {
        what: "post does not put the message up for claiming",
        edits: &[edit("messages/post", "redis.call('ZADD', open, id, id)", "")],
        noticed_by: AllIsDone,
    },
    Mutation {
        what: "post wakes nobody",
        edits: &[edit("messages/post", "redis.pcall('SPUBLISH', wake, 'more') ~= 0", "false")],
        noticed_by: WokenInTime,
    },
    Mutation {
        what: "a message that comes with its wake-up says that nothing is before it",
        edits: &[edit("lib/carry", "{ id, before,", "{ id, '0',")],
        noticed_by: ReadersSeeAll,
    },
    Mutation {
        what: "post appends the message twice",
        edits: &[edit(
            "messages/post",
            "if mode == 'claimable' then redis",
            "redis.call('XADD', log, string.format('%d', n + 1), 'h', head, 'c', content, 'm', metadata)\n\
             if mode == 'claimable' then redis",
        )],
        noticed_by: OneEffectPerRequest,
    },
    Mutation {
        what: "post writes what it refuses",
        edits: &[edit(
            "messages/post",
            "if reused then return reused end\n",
            "if reused then\n\
               redis.call('XADD', log, string.format('%d', now), 'h', head, 'c', content, 'm', metadata)\n\
               return reused\n\
             end\n",
        )],
        noticed_by: NothingIsInvented,
    },
    Mutation {
        what: "trimming takes what is not gone",
        edits: &[edit("messages/post", "if n % 32 == 0 then --", "if n % 32 == 0 then gone_by = now - 300000 --")],
        noticed_by: AckedIsKept,
    },
    Mutation {
        what: "what has expired is gone",
        edits: &[edit("lib/channel", "local gone_by = dead - retention", "local gone_by = dead")],
        noticed_by: AckedIsKept,
    },
    Mutation {
        what: "the history begins before messages have expired",
        edits: &[edit("messages/history", "or sid(dead)", "or '+'")],
        noticed_by: ExpiredIsGone,
    },
    Mutation {
        what: "a list shows what has expired",
        edits: &[edit("messages/list", "math.max(cursor, dead, 0)", "math.max(cursor, 0)")],
        noticed_by: ExpiredIsGone,
    },
    Mutation {
        what: "first answers are not stored",
        edits: &[edit("lib/once", "  if idem_ms > 0 then\n", "  if false then\n")],
        noticed_by: OneEffectPerKey,
    },
    Mutation {
        what: "a first answer is given to another request, too",
        edits: &[edit("lib/once", "facts[1] ~= body", "false")],
        noticed_by: OneEffectPerKey,
    },
    Mutation {
        what: "a list begins with what the reader has seen",
        edits: &[edit("messages/list", "'(' .. sid(math.max(cursor, dead, 0))", "sid(math.max(cursor, dead, 0))")],
        noticed_by: ReadersSeeInOrder,
    },
    Mutation {
        what: "a list leaves out the first message after the cursor",
        edits: &[edit(
            "messages/list",
            "'(' .. sid(math.max(cursor, dead, 0))",
            "'(' .. sid(math.max(cursor, dead, 0) + (cursor > 0 and 20000 or 0))",
        )],
        noticed_by: ReadersSeeAll,
    },
    Mutation {
        what: "nobody is woken",
        edits: &[
            edit("lib/wake", "redis.pcall('SPUBLISH', wake, whom)", ""),
            edit("messages/post", "redis.pcall('SPUBLISH', wake, 'more') ~= 0", "false"),
        ],
        noticed_by: WokenInTime,
    },
];

/// A directory like `lua/` with the edits made in it.
fn broken_scripts(mutation: &Mutation) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("lua");
    let dir = scratch().join(format!("lua-{}", serial()));
    for edit in mutation.edits {
        let to = dir.join(format!("{}.lua", edit.file));
        let source = if to.exists() { to.clone() } else { from.join(format!("{}.lua", edit.file)) };
        let text = fs::read_to_string(source).expect("a mutation names a file under lua/");
        assert_eq!(text.matches(edit.find).count(), 1, "{}: once in lua/{}.lua:\n{}", mutation.what, edit.file, edit.find);
        fs::create_dir_all(to.parent().expect("a file is in a directory")).expect("the scratch directory can be written to");
        fs::write(to, text.replace(edit.find, edit.put)).expect("the scratch directory can be written to");
    }
    dir
}

const WOKEN_WITHIN: Duration = Duration::from_secs(1);
/// Of those who wait, where it is to show that nobody wakes them: much longer than a busy machine excuses.
const LONG_WAIT_S: u64 = 8;
/// And where something else is to show, and soon.
const SHORT_WAIT_S: u64 = 2;
/// Chance decides what a run meets, and the machine how much. A mutation that so many runs do not show is not noticed; most take one.
const RUNS: u64 = 40;

/// The checks that go red on one replica with these scripts.
async fn noticed(name: &str, scripts: Option<&Path>, seed: u64, wait_s: u64) -> Vec<(Check, String)> {
    let mut fleet = Fleet::builder().replicas(1);
    if let Some(dir) = scripts {
        fleet = fleet.env("BACKCHANNEL_TEST_LUA_DIR", &dir.display().to_string());
    }
    let fleet = fleet.start().await;
    let drain = if scripts.is_some() { 5 } else { 30 };
    let plan = Plan { pause_ms: 25, lease_s: 1, wait_s, claim_wait_s: wait_s, drain: Duration::from_secs(drain), ..Plan::new(name, seed) };
    let world = World::new(&fleet, plan).await;
    let history = run(&fleet, &world, sleep(Duration::from_millis(2500))).await;
    let found = broken_promises(&history, WOKEN_WITHIN);
    fleet.abandon();
    found
}

#[tokio::test]
async fn each_broken_script_is_noticed() {
    let seed = seed("mutations");
    let only = std::env::var("BACKCHANNEL_TEST_MUTATION").unwrap_or_default();
    let tried = MUTATIONS.iter().enumerate().filter(|(_, mutation)| mutation.what.contains(&only));
    let outcomes = stream::iter(tried).map(|(i, mutation)| async move {
        let scripts = broken_scripts(mutation);
        let wait_s = if mutation.noticed_by == WokenInTime { LONG_WAIT_S } else { SHORT_WAIT_S };
        for round in 0..RUNS {
            let found = noticed(&format!("mutation-{i}"), Some(&scripts), seed + round, wait_s).await;
            let mut checks: Vec<Check> = found.iter().map(|(check, _)| *check).collect();
            checks.dedup();
            println!("{}: {checks:?}", mutation.what);
            if checks.contains(&mutation.noticed_by) {
                return None;
            }
        }
        Some(format!("{}: not red: {:?}", mutation.what, mutation.noticed_by))
    });
    let missed: Vec<String> = outcomes.buffer_unordered(8).filter_map(std::future::ready).collect().await;
    assert!(missed.is_empty(), "not noticed, with BACKCHANNEL_TEST_SEED={seed}:\n{}", missed.join("\n"));
}

#[tokio::test]
async fn scripts_that_are_not_broken_pass() {
    let found = noticed("unbroken", None, seed("unbroken"), LONG_WAIT_S).await;
    assert!(found.is_empty(), "{found:#?}");
}
