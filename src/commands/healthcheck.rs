//! `backchannel healthcheck URL`: for containers that have no curl.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::redirect::Policy;

/// From the beginning to the answer's headers.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn run(url: &str) -> Result<()> {
    super::install_tls();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime cannot be started")?;
    runtime.block_on(ask(url))
}

/// GETs the URL itself: no redirects are followed and no proxy is asked.
///
/// # Errors
/// Whatever is not an answer of 2xx in time, in one line.
async fn ask(url: &str) -> Result<()> {
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(Policy::none())
        .no_proxy()
        .build()
        .context("the HTTP client cannot be made")?;
    let answer = client.get(url).send().await.map_err(reqwest::Error::without_url).with_context(|| format!("{url} does not answer"))?;
    if !answer.status().is_success() {
        bail!("{url} answers {}", answer.status());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use http::StatusCode;

    use super::*;

    #[tokio::test]
    async fn only_2xx_in_time_is_healthy() {
        super::super::install_tls();
        let router = Router::new()
            .route("/ok", get(|| async { StatusCode::NO_CONTENT }))
            .route("/away", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
            .route("/moved", get(|| async { (StatusCode::FOUND, [("location", "/ok")]) }));
        let listener = crate::serving::listen(([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let limits = crate::serving::Limits::of(&crate::settings::Settings::for_tests());
        tokio::spawn(crate::serving::serve(listener, router, limits, crate::shutdown::Shutdown::new()));

        ask(&format!("http://{address}/ok")).await.expect("healthy");
        for (path, said) in [("away", "503"), ("moved", "302"), ("nowhere", "404")] {
            let error = ask(&format!("http://{address}/{path}")).await.expect_err("not healthy");
            assert!(error.to_string().contains(said), "{error:#}");
        }
        let error = ask("http://127.0.0.1:1/").await.expect_err("nobody there");
        assert!(error.to_string().ends_with("does not answer"), "{error:#}");
        ask("nonsense").await.expect_err("not a URL");
    }
}
