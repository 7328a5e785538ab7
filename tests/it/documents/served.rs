//! Types, sizes, tags, links, HEAD.

use std::collections::BTreeSet;

use backchannel::documents::{self, DOCUMENTS, Kind};
use reqwest::Method;

use super::blocks::unescaped;
use crate::support::fleet::Fleet;

/// What the protocol says of types, and what follows from endings.
fn content_type(path: &str) -> &'static str {
    match path {
        "/" | "/humans" | "/docs/playground" => "text/html; charset=utf-8",
        "/llms.txt" | "/agent-guide" => "text/plain; charset=utf-8",
        "/status" => "application/json; charset=utf-8",
        _ => match path.rsplit('.').next().unwrap_or_default() {
            "txt" => "text/plain; charset=utf-8",
            "md" => "text/markdown; charset=utf-8",
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            "json" => "application/json; charset=utf-8",
            ending => panic!("{path}: what is {ending}?"),
        },
    }
}

#[tokio::test]
async fn each_document_has_its_type_a_tag_and_a_head_and_is_small() {
    let fleet = Fleet::start(2).await;
    let promised = [
        "/",
        "/humans",
        "/llms.txt",
        "/agent-guide",
        "/first-success-prompt.txt",
        "/.well-known/ai-manifest.json",
        "/ai-manifest.json",
        "/.well-known/backchannel.json",
        "/.well-known/agent-policy.json",
        "/.well-known/ai-plugin.json",
        "/.well-known/openapi.json",
        "/openapi.json",
        "/robots.txt",
        "/docs/protocol.md",
        "/docs/errors.md",
        "/docs/reliability.md",
        "/docs/security.md",
        "/docs/invitations-flow.md",
        "/docs/sla.md",
        "/docs/quickstart.md",
        "/status",
        "/status.html",
        "/docs/playground",
    ];
    let paths = documents::paths();
    for path in promised {
        assert!(paths.contains(&path), "{path}");
    }
    // One replica, and so one URL that is advertised.
    let client = fleet.client_on(0);
    for path in paths {
        let reply = client.get(path).await;
        if matches!(path, "/.well-known/backchannel.json" | "/favicon.ico") {
            let to = if path == "/favicon.ico" { "/favicon.svg" } else { "/.well-known/ai-manifest.json" };
            assert_eq!(reply.status, if path == "/favicon.ico" { 308 } else { 302 }, "{path}");
            assert!(reply.header("location").is_some_and(|l| l.starts_with("http://127.0.0.1:") && l.ends_with(to)), "{path}");
            continue;
        }
        let reply = reply.has_status(200);
        assert_eq!(reply.header("content-type"), Some(content_type(path)), "{path}");
        let document = DOCUMENTS.iter().find(|d| d.path == path);
        if document.is_some_and(|d| matches!(d.kind, Kind::Text | Kind::Markdown)) {
            assert!((100..32_768).contains(&reply.text.len()), "{path} has {} bytes", reply.text.len());
        }
        let head = client.ask(Method::HEAD, path).await.has_status(200);
        assert!(head.text.is_empty() && head.header("content-type") == reply.header("content-type"), "{path}");
        if path.starts_with("/status") {
            assert_eq!(reply.header("cache-control"), Some("no-store"));
            continue;
        }
        let tag = reply.header("etag").unwrap_or_else(|| panic!("{path} has no tag"));
        assert!(reply.header("cache-control").is_some_and(|c| c.starts_with("public, max-age=")), "{path}");
        // The same text has the same tag on every replica.
        let elsewhere = fleet.client_on(1).get(path).header("Host", &fleet.url(0)["http://".len()..]).await;
        assert_eq!(elsewhere.header("etag"), Some(tag), "{path}");
        for known in [tag.to_owned(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let again = client.get(path).header("If-None-Match", &known).await;
            assert_eq!((again.status, again.text.as_str()), (304, ""), "{path} {known}");
            assert_eq!((again.header("etag"), again.header("vary")), (Some(tag), reply.header("vary")), "{path}");
        }
        client.get(path).header("If-None-Match", "\"other\"").await.has_status(200);
        client.ask(Method::POST, path).await.refused(405, "method_not_allowed");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn no_document_is_unreachable_and_no_link_leads_nowhere() {
    let fleet = Fleet::start(1).await;
    let base = fleet.url(0);
    let (mut seen, mut left): (BTreeSet<String>, Vec<String>) = (BTreeSet::new(), vec!["/".into(), "/llms.txt".into()]);
    while let Some(path) = left.pop() {
        if path.starts_with("/v1/") || !seen.insert(path.clone()) {
            continue;
        }
        let reply = fleet.client().get(&path).await;
        assert!(reply.status < 400, "{path} is linked, and answers {}", reply.status);
        left.extend(reply.header("location").map(|to| to.replace(&base, "")));
        let kind = reply.header("content-type").unwrap_or_default().to_owned();
        if kind.starts_with("text/javascript") || kind.starts_with("text/css") {
            continue;
        }
        let text = if kind.starts_with("text/html") { unescaped(&reply.text) } else { reply.text };
        left.extend(links(&text, &base, &path));
    }
    let unreachable: Vec<_> = documents::paths()
        .into_iter()
        .filter(|path| !seen.iter().any(|s| s.split('?').next() == Some(*path)))
        // Found by convention, not by a link.
        .filter(|path| !matches!(*path, "/robots.txt" | "/favicon.ico" | "/ai-manifest.json" | "/humans"))
        .filter(|path| !path.starts_with("/.well-known/"))
        .collect();
    assert!(unreachable.is_empty(), "{unreachable:?}");
    assert!(seen.len() > 25, "{seen:?}");
    fleet.finish().await;
}

/// Absolute URLs of this instance, targets of Markdown links, `href` and `src`; as paths.
fn links(text: &str, base: &str, page: &str) -> Vec<String> {
    let until = |part: &str, ends: &[char]| part.split(ends).next().unwrap_or_default().trim_end_matches(['.', ',', ':', ';']).to_owned();
    let mut found: Vec<String> = Vec::new();
    found.extend(text.split(base).skip(1).map(|p| until(p, &[' ', '\n', '"', '\'', ')', '<', '`', '\\', '{', ','])));
    found.extend(text.split("](").skip(1).map(|p| until(p, &[')', '\n'])));
    for mark in ["href=\"", "src=\""] {
        found.extend(text.split(mark).skip(1).map(|p| until(p, &['"'])));
    }
    let here = url::Url::parse(&format!("{base}{page}")).expect("a URL");
    let joined = found.iter().filter(|f| !f.is_empty()).filter_map(|f| here.join(f).ok());
    joined
        .filter(|url| url.as_str().starts_with(base))
        .map(|url| url[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
        .collect()
}

#[tokio::test]
async fn the_reference_is_sent_compressed_to_who_takes_it_and_plain_to_others() {
    let fleet = Fleet::start(1).await;
    let path = "/docs/playground/swagger-ui-bundle.js";
    let plain = fleet.client().get(path).await.has_status(200);
    assert!(plain.header("content-encoding").is_none() && plain.text.contains("SwaggerUIBundle"));
    let size = async |accepts: &str| {
        let reply = fleet.client().get(path).header("Accept-Encoding", accepts).await.has_status(200);
        assert_eq!(reply.header("vary"), Some("Accept-Encoding"));
        (reply.header("content-encoding").map(str::to_owned), reply.seconds("content-length").expect("a length"))
    };
    let gzip = (Some("gzip".to_owned()), size("gzip").await.1);
    assert!(gzip.1 < 500_000 && plain.text.len() > 1_000_000, "{gzip:?}");
    for accepts in ["gzip, deflate, br", "br;q=1.0, gzip;q=0.8", "*"] {
        assert_eq!(size(accepts).await, gzip, "{accepts}");
    }
    for refuses in ["identity", "br", "gzip;q=0, br"] {
        assert_eq!(size(refuses).await, (None, plain.text.len() as u64), "{refuses}");
    }
    fleet.finish().await;
}
