//! The page behind a room's link, and what scripts are made of.

use super::{Room, refused};
use crate::support::client::Ask;
use crate::support::fleet::Fleet;
use crate::support::reply::Reply;

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn as_browser(ask: Ask) -> Ask {
    ask.header("Accept", BROWSER).header("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0")
}

#[track_caller]
fn is_private(reply: &Reply) {
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("vary"), Some("User-Agent, Accept"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
}

#[tokio::test]
async fn each_reader_of_a_link_gets_what_it_can_use() {
    let fleet = Fleet::start(2).await;
    let room = Room::make(&fleet.client()).await;
    let path = format!("/c/{}?token={}", room.id, room.token);
    let command = format!("/c/{}/bootstrap.sh?token={}", room.id, room.token);
    let agent = room.client.get(&path).header("Accept", "*/*").header("User-Agent", "curl/8.9.1").await.has_status(200);
    is_private(&agent);
    assert_eq!(agent.header("content-type"), Some("text/markdown; charset=utf-8"));
    assert!(agent.text.contains(&command) && agent.text.contains("AGENTALK_KEY") && !agent.text.contains("not complete"), "{}", agent.text);
    for bot in ["claude-cli/2.0", "Mozilla/5.0 (compatible; GPTBot/1.2)", "Mozilla/5.0 (compatible; Googlebot/2.1)"] {
        let reply = room.client.get(&path).header("Accept", BROWSER).header("User-Agent", bot).await.has_status(200);
        assert_eq!(reply.text.replace(&host(&reply.text), ""), agent.text.replace(&host(&agent.text), ""), "{bot}");
    }
    let stub = room.client.get(&path).header("Accept", BROWSER).header("User-Agent", "Mozilla/5.0 (compatible; Claude-User/1.0)").await;
    let stub = stub.has_status(200);
    is_private(&stub);
    assert!(stub.text.lines().count() <= 10 && stub.text.contains("curl -sS") && stub.text.contains(&path), "{}", stub.text);

    let page = as_browser(room.client.get(&path)).await.has_status(200);
    is_private(&page);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert_eq!(page.text.matches("<script").count(), page.text.matches(&format!("<script nonce=\"{nonce}\"")).count());
    assert!(page.text.contains("<script") && page.text.contains(&room.token) && policy.contains("default-src 'none'"));
    let again = as_browser(room.client.get(&path)).await.has_status(200);
    assert!(!again.text.contains(nonce), "a nonce is used once");
    fleet.finish().await;
}

/// The advertised URL of a page: replicas have different ports.
fn host(text: &str) -> String {
    let from = text.find("http://127.0.0.1:").expect("a URL");
    text[from..].split(['/', ' ', '\n']).take(3).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn what_is_not_hexadecimal_to_the_last_byte_gets_into_no_page_and_no_script() {
    let fleet = Fleet::start(1).await;
    let room = Room::make(&fleet.client()).await;
    let token = &room.token;
    let wrong = [
        (room.id.clone(), "x".to_owned()),
        (room.id.clone(), String::new()),
        (room.id.clone(), format!("{token}%0A")),
        (room.id.clone(), format!("{token}'")),
        (room.id.clone(), format!("{}%27", &token[..47])),
        (room.id.clone(), format!("%20{token}")),
        (room.id.clone(), token.to_uppercase()),
        (format!("{}%0a", room.id), token.clone()),
        ("%27;touch%20pwned;%27x".to_owned(), token.clone()),
        (room.id.to_uppercase(), token.clone()),
    ];
    for (id, token) in wrong.iter().filter(|(id, token)| !(id == &room.id && token == &room.token)) {
        let script = fleet.client().get(&format!("/c/{id}/bootstrap.sh?token={token}")).await;
        refused(script, 400, "invalid_channel_or_token");
        let page = as_browser(fleet.client().get(&format!("/c/{id}?token={token}"))).await.has_status(400);
        assert!(page.text.contains("<h1>This link is not complete") && !page.text.contains("touch") && !page.text.contains(&room.token));
        let text = fleet.client().get(&format!("/c/{id}?token={token}")).await.has_status(200).text;
        assert!(
            text.contains("/c/CHANNEL_ID/bootstrap.sh?token=TOKEN") && !text.contains("touch") && !text.contains(&room.token),
            "{text}"
        );
    }
    fleet.finish().await;
}

#[tokio::test]
async fn scripts_are_plain_text_that_nobody_keeps_and_name_only_a_plain_url() {
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_TRUSTED_PROXIES", "127.0.0.1/32").start().await;
    let room = Room::make(&fleet.client()).await;
    let joiner = format!("/c/{}/bootstrap.sh?token={}", room.id, room.token);
    for path in ["/bootstrap.sh", &joiner, "/helpers.sh", "/loop.sh"] {
        let script = fleet.client().get(path).await.has_status(200);
        assert_eq!(script.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(script.header("cache-control"), Some("no-store"), "{path}");
        for (name, value) in [
            ("X-Forwarded-Host", "evil.example'; touch /tmp/pwned; '"),
            ("X-Forwarded-Host", "$(touch /tmp/pwned)"),
            ("X-Forwarded-Host", "`touch`"),
            ("X-Forwarded-Proto", "https'; touch /tmp/pwned; '"),
        ] {
            let reply = fleet.client().get(path).header(name, value).await.has_status(200);
            assert!(
                !reply.text.contains("evil") && !reply.text.contains("pwned") && !reply.text.contains("`touch"),
                "{path} {name}: {value}"
            );
        }
    }
    let behind = fleet.client().get("/bootstrap.sh").header("X-Forwarded-Host", "rooms.example").header("X-Forwarded-Proto", "https").await;
    assert!(behind.text.contains("BRIDGE_URL='https://rooms.example'"));
    fleet.finish().await;
}
