//! `backchannel openapi`: the document that `/openapi.json` serves.

use anyhow::Result;

pub(super) fn run() -> Result<()> {
    super::print(&crate::discovery::openapi::document_json())
}
