//! Pages for people: who gets which, and nothing in them that the page's own policy forbids.

use backchannel::documents::{DOCUMENTS, Kind};

use crate::support::fleet::Fleet;

#[tokio::test]
async fn agents_get_their_instructions_at_the_front_door_and_people_and_search_bots_the_page() {
    let fleet = Fleet::start(1).await;
    let instructions = fleet.client().get("/llms.txt").await.has_status(200).text;
    let page = fleet.client().get("/humans").await.has_status(200).text;
    for (user_agent, agent) in [
        ("Mozilla/5.0 (compatible; Claude-User/1.0; +Claude-User@anthropic.com)", true),
        ("claude-cli/2.0.1 (external, cli)", true),
        ("Mozilla/5.0 (compatible; ChatGPT-User/1.0; +https://openai.com/bot)", true),
        ("Mozilla/5.0 (compatible; PerplexityBot/1.0)", true),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/143.0 Safari/537.36", false),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", false),
        ("curl/8.9.1", false),
    ] {
        let reply = fleet.client().get("/").header("User-Agent", user_agent).await.has_status(200);
        assert_eq!(reply.header("vary"), Some("User-Agent"));
        let kind = if agent { "text/markdown; charset=utf-8" } else { "text/html; charset=utf-8" };
        assert_eq!(reply.header("content-type"), Some(kind), "{user_agent}");
        assert!(reply.text == *(if agent { &instructions } else { &page }), "{user_agent}");
    }
    assert_eq!(fleet.client().get("/").await.has_status(200).text, page, "who does not say");
    fleet.finish().await;
}

/// The values of an attribute.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    page.split(&format!(" {attribute}=\"")).skip(1).filter_map(|part| part.split('"').next()).collect()
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere_and_hold_no_script_of_their_own() {
    let fleet = Fleet::start(1).await;
    let pages = DOCUMENTS.iter().filter(|d| d.kind == Kind::Html).map(|d| d.path).chain(["/", "/status.html"]);
    for path in pages {
        let page = fleet.client().get(path).await.has_status(200).text;
        assert!(page.contains("<html lang=\"en\">") && page.contains("name=\"viewport\"") && page.contains("<title>"), "{path}");
        for part in page.split("<script").skip(1) {
            let (tag, rest) = part.split_once('>').expect("a tag ends");
            assert!(tag.contains(" src=\"") && rest.starts_with("</script>"), "{path}: inline scripts do not run under our policy");
        }
        let lower = page.to_lowercase();
        assert!(!lower.contains("javascript:") && !lower.contains("<style"), "{path}");
        assert!(["onclick", "onload", "onerror", "onsubmit"].iter().all(|name| values(&page, name).is_empty()), "{path}");
        let loaded =
            page.split('<').filter(|tag| ["link ", "script ", "img "].iter().any(|t| tag.starts_with(t)) && !tag.contains("canonical"));
        for tag in loaded {
            let to = [values(tag, "src"), values(tag, "href")].concat();
            // Relative: it also works where the page is seen under another host than the advertised one.
            assert!(to.len() == 1 && !to[0].contains("//") && !to[0].starts_with('/'), "{path}: {tag}");
        }
        for image in page.split("<img").skip(1) {
            assert!(image.split('>').next().is_some_and(|tag| tag.contains(" alt=")), "{path}");
        }
    }
    fleet.finish().await;
}
