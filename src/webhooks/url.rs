//! Which URLs webhooks may have.

use url::Url;

use super::guard::Guard;
use crate::error::{ApiError, Code, Result};

/// Longest webhook URL, in bytes.
const MAX_URL_BYTES: usize = 2048;

/// Whether something may be pushed to this URL: http or https, with a host, without credentials, at most 2,048 bytes.
///
/// # Errors
/// `invalid_webhook_url`. Who calls names the field.
pub fn check_webhook_url(text: &str) -> Result<()> {
    let bad = || ApiError::new(Code::InvalidWebhookUrl);
    if text.len() > MAX_URL_BYTES || text.chars().any(char::is_control) {
        return Err(bad());
    }
    let url = Url::parse(text).map_err(|_| bad())?;
    let fine = matches!(url.scheme(), "http" | "https")
        && url.host_str().is_some_and(|h| !h.is_empty())
        && url.username().is_empty()
        && url.password().is_none();
    if fine { Ok(()) } else { Err(bad()) }
}

/// Whether this instance pushes to such a URL, as far as that can be known now: names are looked up at each delivery.
///
/// # Errors
/// `invalid_webhook_url`, naming the field and the reason.
pub fn check_leads_outside(guard: &Guard, field: &str, text: &str) -> Result<()> {
    let bad = |why: String| ApiError::new(Code::InvalidWebhookUrl).field(field).because(why);
    let url = Url::parse(text).map_err(|e| bad(e.to_string()))?;
    guard.check(&url).map_err(|why| bad(format!("Nothing is pushed to this URL: {why}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_http_with_a_host_and_without_credentials() {
        let long = |bytes: usize| format!("https://example.com/{}", "x".repeat(bytes - 20));
        for good in
            ["https://example.com/hook?a=b", "http://example.com:8080", "HTTPS://EXAMPLE.COM/", "https://bücher.example/", &long(2048)]
        {
            assert!(check_webhook_url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "nonsense",
            "/hook",
            "example.com",
            "ftp://example.com",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://",
            "https://?x",
            "https://user@example.com",
            "https://user:pw@example.com",
            "https://:pw@example.com",
            "https://exa mple.com",
            "https://a\u{1f}b/",
            "https://example.com/\n",
            &long(2049),
        ] {
            assert!(check_webhook_url(bad).is_err(), "{bad:?}");
        }
    }
}
