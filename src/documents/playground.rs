//! The files of the clickable reference at `/docs/playground`: Swagger UI, vendored, compressed in the binary (`vendor/swagger-ui`).

use std::io::Read;

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use super::{Cached, Kind};
use crate::error::{ApiError, Result};

/// The release of Swagger UI; in the URLs of its files, which may be kept for good.
pub const VERSION: &str = include_str!("../../vendor/swagger-ui/VERSION").trim_ascii();

static SCRIPT: &[u8] = include_bytes!("../../vendor/swagger-ui/swagger-ui-bundle.js.gz");
static STYLE: &[u8] = include_bytes!("../../vendor/swagger-ui/swagger-ui.css.gz");
const LICENCE: &str = concat!(
    include_str!("../../vendor/swagger-ui/NOTICE"),
    "\n",
    include_str!("../../vendor/swagger-ui/LICENSE"),
    "\n",
    include_str!("../../vendor/swagger-ui/swagger-ui-bundle.js.LICENSE.txt"),
);

pub async fn script(headers: HeaderMap) -> Result<Response> {
    compressed(Kind::Script, SCRIPT, &headers)
}

pub async fn style(headers: HeaderMap) -> Result<Response> {
    compressed(Kind::Css, STYLE, &headers)
}

/// The licence of these files and of what is bundled in them.
pub async fn licence(headers: HeaderMap) -> Response {
    Cached::page(Kind::Text, LICENCE.to_owned()).answer(&headers).into_response()
}

/// As it is stored to who takes gzip, which every browser does.
fn compressed(kind: Kind, stored: &'static [u8], headers: &HeaderMap) -> Result<Response> {
    if takes_gzip(headers) {
        return Ok(Cached::file(kind, Bytes::from_static(stored), true).answer(headers));
    }
    let mut plain = Vec::new();
    let read = GzDecoder::new(stored).read_to_end(&mut plain);
    read.map_err(|e| ApiError::internal(format!("a vendored file is broken: {e}")))?;
    Ok(Cached::file(kind, plain.into(), false).answer(headers))
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|one| {
        let (name, weight) = one.split_once(';').map_or((one, ""), |(name, weight)| (name, weight.trim()));
        matches!(name.trim(), "gzip" | "*") && !matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}
