//! The served scripts, sourced by real shells in directories of their own, through one address in front of two replicas.

use std::fs;

use futures::future::join_all;
use serde_json::json;

use super::shell::{SOON, Shell, run, shells, tidy};
use super::{Room, set_life};
use crate::support::balancer::Balancer;
use crate::support::fleet::Fleet;
use crate::support::process::{scratch, unique};
use crate::support::wait::eventually;

#[tokio::test]
async fn agents_in_three_directories_pair_talk_and_see_the_end() {
    let fleet = Fleet::builder().env("CH_MAX_MESSAGES", "24").env("CH_POLL_TIMEOUT_MS", "2000").start().await;
    let base = Balancer::start(&fleet).await;
    let each = shells().into_iter().filter(|shell| *shell != "dash").map(async |shell| {
        let home = scratch().join(format!("rooms-{}", unique()));
        let mut ada = Shell::start(shell, base.url(), &home.join("my ada!"), None).await;
        assert_eq!(ada.name, "myada");
        let key = ada.variable("CHANNEL_KEY");
        let room = ada.room(fleet.client());
        let share = fs::read_to_string(format!("/tmp/agentalk-share-{}-myada.txt", room.id)).expect("the share message");
        assert!(share.contains(&format!("/c/{}?token={}#k={key}", room.id, room.token)) && !share.contains("__KEY__"), "{share}");
        let human = fs::read_to_string(format!("/tmp/agentalk-share-human-{}-myada.txt", room.id)).expect("the share message");
        assert!(human.contains(&key) && human.contains("__TOPIC__"), "{human}");

        // The key as base64url, which links from elsewhere may have.
        let bytes = data_encoding::HEXLOWER.decode(key.as_bytes()).expect("hex");
        let other_form = data_encoding::BASE64URL_NOPAD.encode(&bytes);
        let mut bob = Shell::start(shell, base.url(), &home.join("a/worker"), Some((&room, &other_form))).await;
        let mut carol = Shell::start(shell, base.url(), &home.join("b/worker"), Some((&room, &key))).await;
        assert_eq!((bob.name.as_str(), carol.name.as_str()), ("worker", "worker-1"), "the name was taken");
        assert_eq!(bob.variable("CHANNEL_KEY"), key);
        for joiner in [&bob, &carol] {
            ada.prints(&format!("WELCOMED {}", joiner.name)).await;
            joiner.prints("PAIRED with myada").await;
        }

        let text = "it's \"quoted\" \\n \\\\ $HOME `id` %s 🦊\nsecond line";
        ada.does(&[("TEXT", text)], "agentalk_say \"$TEXT\"").await;
        for joiner in [&bob, &carol] {
            let line = joiner.prints("BROADCAST from=myada").await;
            assert_eq!(Shell::text_of(&line), text);
            assert!(line.contains(&format!(" bytes={} ", text.len())) && line.contains("preview=it's \"quoted\" \\n"), "{line}");
        }
        let path = home.join("long.txt");
        fs::write(&path, format!("{}\\t\n", "x".repeat(40_000))).expect("a file");
        let path = path.to_str().expect("a path");
        bob.does(&[], &format!("agentalk_dm_file worker-1 {path}")).await;
        assert_eq!(Shell::text_of(&carol.prints("DM from=worker ").await).len(), 40_003);
        carol.does(&[], "agentalk_dm myada 'only you'").await;
        assert_eq!(Shell::text_of(&ada.prints("DM from=worker-1").await), "only you");
        assert!(!bob.lines().iter().any(|l| l.contains("DM from=worker-1")), "it was not for bob");
        assert!(!ada.lines().iter().any(|l| l.contains("BROADCAST from=myada")), "one's own words do not come back");

        // Somebody with another key, under a name that is not to break a line.
        let stranger = room.joined("st ra\u{a0}nger").await;
        room.send(&stranger, "bm90IHNlYWxlZCB3aXRoIHRoaXMga2V5LCBub3QgYXQgYWxsLCBubyE=").await.ok(200);
        ada.prints("DECRYPT_FAIL from=stra").await;
        room.leave(&stranger).await.ok(200);
        bob.prints("PEER_LEFT name=stra").await;

        let again = room.joined("flood").await;
        eventually("the room is full", SOON, || async { room.send(&again, "eA==").await.status == 404 }).await;
        for agent in [&mut ada, &mut bob, &mut carol] {
            agent.prints("SYSTEM evicted_max_messages").await;
            agent.ends().await;
            let events = fs::read_to_string(format!("/tmp/agentalk-events-{}-{}.log", room.id, agent.name)).expect("the events");
            assert_eq!(events.lines().collect::<Vec<_>>(), agent.lines());
        }
    });
    join_all(each).await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_loop_joins_again_when_the_room_slept_and_goes_on_when_replicas_die() {
    let fleet = Fleet::builder().env("CH_IDLE_TIMEOUT_MS", "60000").env("CH_POLL_TIMEOUT_MS", "1000").start().await;
    let base = Balancer::start(&fleet).await;
    let home = scratch().join(format!("rooms-{}", unique()));
    let ada = Shell::start("bash", base.url(), &home.join("ada"), None).await;
    let room = ada.room(fleet.client());
    let bob = Shell::start("bash", base.url(), &home.join("bob"), Some((&room, &ada.variable("CHANNEL_KEY")))).await;
    bob.prints("PAIRED with ada").await;
    // Connections to it are refused for a while.
    fleet.kill9(0);
    ada.does(&[], "agentalk_say 'while one is dead'").await;
    bob.prints("BROADCAST from=ada").await;
    fleet.restart(0).await;
    // As after a machine's sleep: the room fell asleep meanwhile.
    let key = |suffix: &str| format!("{}{{room:{}}}:{suffix}", fleet.prefix(), room.id);
    let before = bob.variable("PARTICIPANT_ID");
    set_life(fleet.redis(), &key("room"), "seen = seen - 70000000");
    eventually("both joined again", SOON, || async {
        let people: usize = fleet.redis().run(&["HLEN", &key("people")]);
        people == 2 && bob.variable("PARTICIPANT_ID") != before
    })
    .await;
    bob.does(&[], "agentalk_say 'after the sleep'").await;
    eventually("ada reads on", SOON, || async { ada.lines().iter().any(|l| l.contains("preview=after the sleep")) }).await;
    drop((ada, bob)); // their loops end with them, and so does what they wait for
    fleet.finish().await;
}

#[tokio::test]
async fn people_who_write_in_bursts_are_shown_as_one() {
    let fleet = Fleet::builder().env("CH_POLL_TIMEOUT_MS", "2000").start().await;
    let base = Balancer::start(&fleet).await;
    let home = scratch().join(format!("rooms-{}", unique()));
    let ada = Shell::start("bash", base.url(), &home.join("ada"), None).await;
    let room = ada.room(fleet.client());
    // A person's browser says so in its greeting. Here the helpers seal for it.
    let eve = room.join("eve").await.ok(200)["participant_id"].as_str().expect("an id").to_owned();
    let hello = ada.seals_for("eve", &json!({ "hello": "c1", "human": true, "resumed": true }).to_string()).await;
    room.send(&eve, &hello).await.ok(200);
    ada.prints("HUMAN_JOINED name=eve resumed=1").await;
    // What comes two seconds later is another burst, and a busy machine may make it so: one of some bursts is shown as one.
    let handled = format!("/tmp/agentalk-{}-{}.seen", room.id, ada.name);
    let mut shown = String::new();
    for n in 0..5 {
        let (one, two) = (format!("one {n}"), format!("two {n}"));
        let both = [
            ada.seals_for("eve", &json!({ "text": one }).to_string()).await,
            ada.seals_for("eve", &json!({ "text": two }).to_string()).await,
        ];
        let index = room.send(&eve, &both[0]).await.ok(200)["index"].as_u64().expect("an index");
        let is_handled = || fs::read_to_string(&handled).is_ok_and(|all| all.lines().any(|line| line.starts_with(&format!("{index} "))));
        eventually("the first one is held back", SOON, || async { is_handled() }).await;
        room.send(&eve, &both[1]).await.ok(200);
        let line = || ada.lines().into_iter().find(|line| line.contains(&two));
        eventually("the second one is shown", SOON, || async { line().is_some() }).await;
        shown = line().expect("it was there");
        if shown.contains(" msgs=2 ") {
            assert_eq!(Shell::text_of(&shown), format!("{one}\n{two}"));
            break;
        }
    }
    assert!(shown.starts_with("agentalk: BROADCAST from=eve human=1 msgs=2 "), "{shown}");
    drop(ada);
    fleet.finish().await;
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_said_and_fails() {
    let fleet = Fleet::start(1).await;
    let base = fleet.url(0);
    let room = Room::make(&fleet.client()).await;
    let home = scratch().join(format!("rooms-{}", unique()));
    fs::create_dir_all(&home).expect("a directory");
    let join = format!("eval \"$(curl -fsS '{base}/c/{}/bootstrap.sh?token={}')\"", room.id, room.token);
    let fails = async |env: &[(&str, &str)], script: &str, role: &str, why: &str| {
        for shell in shells() {
            let (good, said, complaints) = run(shell, &home, env, script).await;
            let begin = format!("ERROR: agentalk bootstrap ({role}): ");
            assert!(
                !good && said.is_empty() && complaints.starts_with(&begin) && complaints.contains(why),
                "{shell}: {said}\n{complaints}"
            );
        }
    };
    fails(&[], &join, "joiner", "AGENTALK_KEY is not set").await;
    fails(&[("AGENTALK_KEY", "KEY")], &join, "joiner", "no key").await;
    let key = "0".repeat(64);
    let wrong = join.replace(&room.token, &"0".repeat(48));
    fails(&[("AGENTALK_KEY", &key)], &wrong, "joiner", "channel_or_token_invalid").await;
    // A path without programs but curl's and the like.
    let tools = home.join("tools");
    fs::create_dir_all(&tools).expect("a directory");
    for tool in ["curl", "od", "sed", "tr", "cut", "basename"] {
        let found = std::process::Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().expect("sh runs");
        let found = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        std::os::unix::fs::symlink(&found, tools.join(tool)).expect("a link");
    }
    let poor = |script: &str| format!("PATH='{}'; {script}", tools.display());
    let make = format!("eval \"$(curl -fsS {base}/bootstrap.sh)\"");
    fails(&[], &poor(&make), "initiator", "jq is not installed").await;
    std::os::unix::fs::symlink("/bin/true", tools.join("jq")).expect("a link");
    fails(&[], &poor(&make), "initiator", "neither node nor python3").await;
    fleet.finish().await;
}

/// The `sh` blocks of a page that name rooms.
fn blocks_of(page: &str) -> Vec<&str> {
    page.split("```sh\n")
        .skip(1)
        .filter_map(|part| part.split("```").next())
        .filter(|block| block.contains("/bootstrap.sh") || block.contains("$BASE/channels"))
        .collect()
}

/// Of the rooms that were bootstrapped.
fn tidy_all(said: &str) {
    for part in said.split("READY ").skip(1).filter_map(|line| line.split("channel=").nth(1)) {
        tidy(part.split(' ').next().expect("a part"), |rest| rest.starts_with('-'));
    }
}

#[tokio::test]
async fn what_the_readme_and_the_page_about_rooms_print_works() {
    let fleet = Fleet::builder().env("CH_POLL_TIMEOUT_MS", "1000").start().await;
    let base = Balancer::start(&fleet).await;
    let home = scratch().join(format!("rooms-{}/laptop", unique()));
    fs::create_dir_all(&home).expect("a directory");
    let readme = include_str!("../../../README.md").replace("http://127.0.0.1:8080", base.url());
    let [lines] = blocks_of(&readme)[..] else { panic!("one block about rooms") };
    let (good, said, complaints) = run("bash", &home, &[], lines).await;
    assert!(good && complaints.is_empty() && said.starts_with("READY initiator") && said.contains("#k="), "{said}\n{complaints}");
    tidy_all(&said);
    let [scripts, calls] = blocks_of(include_str!("../../../docs/rooms.md"))[..] else { panic!("two blocks") };
    for (block, end) in [(scripts, "'\n"), (calls, "{\"ok\":true}")] {
        let script = format!("set -e; BASE={}\n{block}", base.url());
        let (good, said, complaints) = run("bash", &home, &[], &script).await;
        assert!(good && complaints.is_empty() && said.ends_with(end) && !said.contains("\"error\""), "{said}\n{complaints}");
        tidy_all(&said);
    }
    fleet.finish().await;
}
