//! lua/hooks/

use crate::support::script::{Bench, DELIVERY, SECOND, START};

fn record(b: &Bench, id: &str, outcome: &str) -> u64 {
    b.ask("hooks/record").with("id", id).with("outcome", outcome).with("error", "timeout").run().ok("recorded").int(0)
}

fn delivered(b: &Bench, ids: &[&str]) {
    let ask = ids.iter().fold(b.ask("hooks/delivered"), |ask, id| {
        ask.values(&[&format!("{START}\u{1f}delivered\u{1f}1\u{1f}200\u{1f}7\u{1f}\u{1f}{id}\u{1f}a job")])
    });
    ask.run().ok("recorded");
}

fn dead(b: &Bench) -> Vec<String> {
    b.ask("hooks/dead").run().ok("page").wrote_nothing().texts(0).into_iter().step_by(2).collect()
}

pub fn answers_record(b: &Bench) {
    assert_eq!(record(b, DELIVERY, "failed"), START);
    b.pass(SECOND);
    assert_eq!(record(b, DELIVERY, "dead"), START, "since the first failure");
    assert_eq!(dead(b), [DELIVERY]);
    let other = b.ask("hooks/record").with("outcome", "failed").with("mark", "m2").run().ok("recorded");
    assert_eq!(other.int(0), START + SECOND, "another URL begins anew");
    delivered(b, &[DELIVERY]);
    assert!(dead(b).is_empty(), "what is delivered is not dead");
    b.pass(SECOND);
    assert_eq!(record(b, DELIVERY, "failed"), START + 2 * SECOND);
    for n in 0..210 {
        b.ask("hooks/record").with("id", format!("dlv_{n}")).quietly().run().ok("recorded");
    }
    assert_eq!(b.run::<u64>(&["LLEN", &b.key_like("tries")]), 200);
    for n in 0..1003u32 {
        b.pass(1);
        b.ask("hooks/record").with("id", format!("dlv_{n}")).with("outcome", "dead").quietly().run().ok("recorded");
    }
    let kept = (b.run::<u64>(&["HLEN", &b.key_like("dead")]), b.run::<u64>(&["ZCARD", &b.key_like("dead-index")]));
    assert_eq!(kept, (1000, 1000));
    assert_eq!(b.run::<Option<String>>(&["HGET", &b.key_like("dead"), "dlv_2"]), None, "the oldest went");
}

pub fn answers_delivered(b: &Bench) {
    record(b, "dlv_1", "dead");
    record(b, "dlv_2", "dead");
    record(b, "dlv_3", "dead");
    delivered(b, &["dlv_1", "dlv_0", "dlv_3"]);
    assert_eq!(dead(b), ["dlv_2"]);
    let newest: Vec<String> = b.run(&["LRANGE", &b.key_like("tries"), "0", "-1"]);
    let told = |n: usize| newest[n].split('\u{1f}').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(told(0), [&START.to_string(), "delivered", "1", "200", "7", "", "dlv_3", "a job"]);
    assert_eq!((newest.len(), told(2)[6].as_str(), told(3)[1].as_str()), (6, "dlv_1", "dead"));
    b.pass(SECOND);
    assert_eq!(record(b, DELIVERY, "failed"), START + SECOND, "failures begin anew");
}

pub fn answers_deliveries(b: &Bench) {
    record(b, "dlv_1", "failed");
    delivered(b, &["dlv_1"]);
    let page = b.ask("hooks/deliveries").with("limit", 1).run().ok("page").wrote_nothing();
    assert_eq!(page.list(0).len(), 1);
    assert_eq!(b.ask("hooks/deliveries").run().ok("page").list(0).len(), 2);
    let many: Vec<String> = (0..128).map(|n| format!("dlv_{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    delivered(b, &many);
    delivered(b, &many);
    assert_eq!(b.run::<u64>(&["LLEN", &b.key_like("tries")]), 200);
}

pub fn answers_dead(b: &Bench) {
    assert!(dead(b).is_empty());
    record(b, "dlv_1", "dead");
    b.pass(SECOND);
    record(b, "dlv_2", "dead");
    assert_eq!(dead(b), ["dlv_2", "dlv_1"]);
    let oldest = b.ask("hooks/dead").with("first", "oldest").with("limit", 1).run().ok("page");
    assert_eq!((oldest.texts(0)[0].as_str(), oldest.int(1)), ("dlv_1", 2), "one of two");
    let facts = b.ask("hooks/dead").with("limit", 1).run().ok("page").texts(0);
    assert_eq!(facts, ["dlv_2", &format!("{}\u{1f}1\u{1f}200\u{1f}timeout\u{1f}a job", START + SECOND)]);
}

pub fn answers_one(b: &Bench) {
    let one = || b.ask("hooks/one").run();
    one().no("delivery_not_found");
    let job = format!("{DELIVERY}\u{1f}what to do");
    let failed = || b.ask("hooks/record").with("id", DELIVERY).with("outcome", "failed").with("job", &job).run().ok("recorded");
    failed();
    delivered(b, &["dlv_another"]);
    assert_eq!(one().ok("tried").wrote_nothing().text(0), job);
    record(b, DELIVERY, "dead");
    assert!(one().ok("dead").wrote_nothing().text(0).ends_with("a job"));
}

pub fn answers_redriven(b: &Bench) {
    let redriven = |letters: &[String]| {
        let pairs = letters.chunks(2).fold(b.ask("hooks/redriven"), |ask, pair| ask.rest(&pair[0], &pair[1]));
        pairs.run().ok("redriven")
    };
    assert_eq!(redriven(&[DELIVERY.into(), "facts".into()]).wrote_nothing().int(0), 0);
    record(b, DELIVERY, "dead");
    record(b, "dlv_1", "dead");
    let letters = b.ask("hooks/dead").run().ok("page").texts(0);
    b.pass(SECOND);
    record(b, "dlv_1", "dead");
    assert_eq!(redriven(&letters).int(0), 1);
    assert_eq!(dead(b), ["dlv_1"], "it was given up once more meanwhile");
    assert_eq!(redriven(&letters).wrote_nothing().int(0), 0);
}
