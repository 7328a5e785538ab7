//! What agents and people read: guides, manifests, the page at `/`, the clickable reference. All of it is compiled into the binary.
//!
//! A document is a template in `text/` ([`render`]), filled with what is true for this instance ([`Facts`]), or a page of `docs/` as it
//! is. A test runs every `sh` block of every document as printed, and checks that each path, error code and setting exists.

mod facts;
mod front;
mod list;
mod manifests;
mod playground;
mod render;
mod serve;
mod status;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, on};
use axum::{Router, routing::MethodFilter};
use http::HeaderMap;

use crate::app::App;
use crate::error::{ApiError, Result};
use crate::http::Context;
use crate::router::preflight;

pub use facts::Facts;
pub use front::is_bot;
pub use list::{DOCUMENTS, Document, Source};
pub use render::fill;
pub use serve::{Cached, Kind};
pub use status::{began, uptime_s};

/// Everything here that answers GET without being an operation of the API, by path. Besides these there is [`DOCUMENTS`].
fn others() -> [(&'static str, MethodRouter<App>); 14] {
    [
        ("/", get(front::handle)),
        ("/openapi.json", get(manifests::openapi)),
        ("/.well-known/openapi.json", get(manifests::openapi)),
        ("/ai-manifest.json", get(manifests::ai_manifest)),
        ("/.well-known/ai-manifest.json", get(manifests::ai_manifest)),
        ("/.well-known/backchannel.json", get(manifests::to_ai_manifest)),
        ("/.well-known/agent-policy.json", get(manifests::agent_policy)),
        ("/.well-known/ai-plugin.json", get(manifests::ai_plugin)),
        ("/status", get(status::json)),
        ("/status.html", get(status::html)),
        ("/docs/playground/swagger-ui-bundle.js", get(playground::script)),
        ("/docs/playground/swagger-ui.css", get(playground::style)),
        ("/docs/playground/LICENSE.txt", get(playground::licence)),
        ("/favicon.ico", get(front::icon)),
    ]
}

/// All routes of this module.
pub fn routes() -> Router<App> {
    let mut router = Router::new();
    for document in DOCUMENTS {
        let handler = move |State(app): State<App>, context: Context, headers: HeaderMap| serve_one(app, document, context, headers);
        router = router.route(document.path, get(handler));
    }
    for (path, handler) in others() {
        router = router.route(path, handler);
    }
    paths().into_iter().fold(router, |router, path| router.route(path, on(MethodFilter::OPTIONS, preflight)))
}

/// Every path that [`routes`] answers.
pub fn paths() -> Vec<&'static str> {
    DOCUMENTS.iter().map(|document| document.path).chain(others().into_iter().map(|(path, _)| path)).collect()
}

/// Fails where a template does not fit: at the start of a replica, rather than at the first request.
///
/// # Errors
/// Names the template and the line.
pub fn check() -> Result<()> {
    for minting_open in [true, false] {
        let settings = crate::settings::Settings::from_pairs([]).map_err(|_| ApiError::internal("the default settings are refused"))?;
        let facts = Facts::new(&settings, "http://localhost:8080", minting_open);
        for document in DOCUMENTS {
            document.text(&facts)?;
        }
        status::page(&facts, &status::Status::of_nothing(&facts))?;
    }
    Ok(())
}

async fn serve_one(app: App, document: &'static Document, context: Context, headers: HeaderMap) -> Result<Response> {
    let facts = Facts::now(&app, &context).await;
    Ok(Cached::page(document.kind, document.text(&facts)?).answer(&headers).into_response())
}
