//! What is fetched before a room is joined.

use axum::routing::MethodRouter;

use crate::app::App;

pub fn routes() -> Vec<(&'static str, MethodRouter<App>)> {
    Vec::new()
}
