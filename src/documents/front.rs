//! `/`: a page for people, `/llms.txt` for agents.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use http::header::USER_AGENT;

use super::{Cached, Facts, Kind, render};
use crate::app::App;
use crate::error::Result;
use crate::http::Context;

/// What language models' clients call themselves, in lower case.
const AGENTS: &[&str] = &["claude-user", "claude-cli", "anthropic", "gpt", "openai", "gemini", "perplexitybot"];
/// Bots that index pages for people, whatever else stands in their name.
const SEARCH: &[&str] = &["googlebot", "bingbot", "duckduckbot", "applebot", "yandexbot", "baiduspider", "slurp"];

/// Whether a language model reads this, as far as its `User-Agent` tells (protocol of rooms, chapter 4).
fn is_agent(user_agent: &str) -> bool {
    let name = user_agent.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    has(AGENTS) && !has(SEARCH)
}

/// Whether a language model or a search engine reads this.
pub fn is_bot(user_agent: &str) -> bool {
    let name = user_agent.to_ascii_lowercase();
    AGENTS.iter().chain(SEARCH).any(|word| name.contains(word))
}

pub async fn handle(State(app): State<App>, context: Context, headers: HeaderMap) -> Result<Response> {
    let facts = Facts::now(&app, &context).await;
    let agent = headers.get(USER_AGENT).and_then(|v| v.to_str().ok()).is_some_and(is_agent);
    let (kind, template) = if agent { (Kind::Markdown, "llms.txt") } else { (Kind::Html, "humans.html") };
    Ok(Cached::page(kind, render::fill(template, &facts)?).varies_by("User-Agent").answer(&headers))
}

/// Browsers ask for this one unasked.
pub async fn icon(context: Context) -> Response {
    Redirect::permanent(&format!("{}/favicon.svg", context.base_url())).into_response()
}

#[cfg(test)]
mod tests {
    use super::is_agent;

    #[test]
    fn agents_are_known_by_their_name_and_search_bots_are_none() {
        for agent in [
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Claude-User/1.0; +Claude-User@anthropic.com)",
            "claude-cli/2.0.1 (external, cli)",
            "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
            "Mozilla/5.0 (compatible; ChatGPT-User/1.0)",
            "OpenAI/Python 1.0",
            "Gemini-CLI/0.1",
            "Mozilla/5.0 (compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)",
            "Anthropic/TypeScript",
        ] {
            assert!(is_agent(agent), "{agent}");
        }
        for person in [
            "",
            "curl/8.9.1",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0 Safari/537.36",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; bingbot/2.0; GPT; +http://www.bing.com/bingbot.htm)",
        ] {
            assert!(!is_agent(person), "{person}");
        }
    }
}
