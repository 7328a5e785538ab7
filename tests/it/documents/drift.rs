//! Documents against code: each path, error code, field and setting that a document names exists.

use backchannel::discovery::openapi::document_json;
use backchannel::documents::{self, DOCUMENTS, Facts, Kind, Source};
use backchannel::error::Code;
use backchannel::router::operations;
use backchannel::settings::{Settings, TABLE};

/// Variables of clients, which the service does not read.
const OF_CLIENTS: &[&str] = &["BACKCHANNEL_API_KEY"];

/// Every text with its path, as an instance with all limits and one without would serve it.
fn texts() -> Vec<(&'static str, Source, String)> {
    let variants: [&[(&str, &str)]; 2] = [
        &[("BACKCHANNEL_ADMIN_TOKEN", "x"), ("BACKCHANNEL_SANDBOX", "true"), ("BACKCHANNEL_CHANNEL_IDLE_DAYS", "90")],
        &[
            ("BACKCHANNEL_RATE_LIMIT", "0"),
            ("BACKCHANNEL_KEY_MINT_LIMIT", "0"),
            ("BACKCHANNEL_LONGPOLL_ENABLED", "false"),
            ("BACKCHANNEL_DEFAULT_RETENTION_DAYS", "1"),
        ],
    ];
    let mut texts = Vec::new();
    for pairs in variants {
        let settings = Settings::from_pairs(pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))).expect("settings");
        for open in [true, false] {
            let facts = Facts::new(&settings, "https://bus.example", open);
            for document in DOCUMENTS.iter().filter(|d| matches!(d.kind, Kind::Text | Kind::Markdown | Kind::Html)) {
                texts.push((document.path, document.source, document.text(&facts).expect("it can be filled")));
            }
        }
    }
    texts
}

/// Maximal runs of characters that belong to a word.
fn words(text: &str, of: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    text.split(move |c: char| !of(c)).filter(|word| !word.is_empty())
}

#[test]
fn nothing_of_a_template_is_left_over() {
    for (path, source, text) in texts() {
        for rest in ["{{", "{%", "%}"] {
            assert!(!text.contains(rest), "{path}: {rest:?}");
        }
        assert!(!matches!(source, Source::Template(_)) || !text.contains("localhost"), "{path} is about another place");
        assert!(!text.contains("\n\n\n"), "{path}: a gap where a condition was");
    }
}

#[test]
fn every_path_that_a_document_names_is_served() {
    let wild = |segment: &str| segment.starts_with(['{', '$', '…']);
    let served = |method: Option<&str>, path: &str| {
        operations().iter().any(|operation| {
            let (ours, theirs): (Vec<_>, Vec<_>) = (operation.path.split('/').collect(), path.split('/').collect());
            let fits = ours.len() == theirs.len()
                && ours.iter().zip(&theirs).all(|(o, t)| o == t || o.starts_with('{') && !t.is_empty() && (wild(t) || !t.contains('{')));
            fits && method.is_none_or(|method| operation.method == method)
        })
    };
    let mut named = 0;
    for (page, _, text) in texts() {
        // `GET /v1/keys/me`, $BASE/v1/keys, https://bus.example/v1/keys
        let is_path = |c: char| c.is_ascii_alphanumeric() || "/-_.{}$…".contains(c);
        for (at, _) in text.match_indices("/v1/") {
            let path = words(&text[at..], is_path).next().expect("it begins with one").trim_end_matches(['.', '/']);
            let method = text[..at]
                .strip_suffix(' ')
                .and_then(|before| words(before, |c| c.is_ascii_uppercase()).last().filter(|m| before.ends_with(m)));
            let method = method.filter(|m| ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(m));
            assert!(path == "/v1" || served(method, path), "{page}: {method:?} {path}");
            named += 1;
        }
        for short in words(&text, |c| c.is_ascii_alphanumeric() || c == '/' || c == '-').filter(|word| word.starts_with("tasks/")) {
            assert!(served(Some("POST"), &format!("/v1/{short}")), "{page}: {short}");
        }
        for (method, path) in
            ["GET /"].iter().flat_map(|m| text.match_indices(m).map(|(at, m)| (&m[..3], words(&text[at + 4..], is_path).next())))
        {
            let path = path.expect("it begins with one").trim_end_matches(['.', ',']);
            let other = ["/livez", "/startupz", "/readyz", "/metrics"].contains(&path) || documents::paths().contains(&path);
            assert!(other || served(Some(method), path), "{page}: {method} {path}");
        }
    }
    assert!(named > 200, "{named}");
}

#[test]
fn every_error_code_that_a_document_names_exists_with_this_status() {
    let mut named = 0;
    for (page, _, text) in texts() {
        // `409 already_claimed`: one blank between them.
        let runs = words(&text, |c| c.is_ascii_alphanumeric() || c == '_' || c == ' ').map(|run| run.split(' ').collect::<Vec<_>>());
        for pair in runs.collect::<Vec<_>>().iter().flat_map(|run| run.windows(2)) {
            let Some(status) = pair[0].parse::<u16>().ok().filter(|status| (400..600).contains(status)) else { continue };
            match Code::from_word(pair[1]) {
                Some(code) => assert_eq!(code.spec().status, status, "{page}: {pair:?}"),
                None => assert!(!pair[1].contains('_'), "{page}: {pair:?}"),
            }
            named += 1;
        }
    }
    assert!(named > 80, "{named}");
}

#[test]
fn every_field_or_code_in_backticks_is_a_word_of_the_interface() {
    let openapi = document_json();
    for (page, source, text) in texts() {
        if !matches!(source, Source::Template(_)) || page == "/humans" {
            continue;
        }
        for word in text.split('`').skip(1).step_by(2).filter(|w| w.contains('_') && w.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        {
            let known =
                openapi.contains(&format!("\"{word}\"")) || openapi.contains(&format!("`{word}`")) || Code::from_word(word).is_some();
            assert!(known, "{page}: `{word}`");
        }
    }
}

#[test]
fn every_setting_that_a_document_names_exists() {
    let mut named = 0;
    for (page, _, text) in texts() {
        for word in words(&text, |c| c.is_ascii_alphanumeric() || c == '_').filter(|word| word.starts_with("BACKCHANNEL_")) {
            let known = TABLE.iter().any(|row| row.name == word || word.ends_with('_') && row.name.starts_with(word));
            assert!(known || OF_CLIENTS.contains(&word), "{page}: {word}");
            named += 1;
        }
    }
    assert!(named > 50, "{named}");
}
