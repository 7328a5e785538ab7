use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Whether a delivery with these headers came from who knows the secret, within five minutes of `now` (seconds since 1970).
pub fn verify(id: &str, timestamp: &str, signatures: &str, body: &[u8], secret: &str, now: u64) -> bool {
    let decoded = secret.strip_prefix("whsec_").and_then(|text| BASE64.decode(text.as_bytes()).ok());
    let key = decoded.as_deref().unwrap_or(secret.as_bytes());
    let fresh = timestamp.parse::<u64>().is_ok_and(|sent| now.abs_diff(sent) < 300);
    let matches = |signature: &str| {
        let Some(given) = signature.strip_prefix("v1,").and_then(|text| BASE64.decode(text.as_bytes()).ok()) else { return false };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        mac.verify_slice(&given).is_ok()
    };
    fresh && signatures.split(' ').any(matches)
}
