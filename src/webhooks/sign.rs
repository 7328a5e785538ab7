//! How a receiver knows that a delivery comes from here: two signatures over the same secret.

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a secret of the Standard Webhooks form begins with; base64 follows.
const STANDARD_PREFIX: &str = "whsec_";

/// `X-Backchannel-Signature`: HMAC-SHA256 of the body under the bytes of the secret's text.
pub fn backchannel(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", HEXLOWER.encode(&hmac(secret.as_bytes(), &[body])))
}

/// `webhook-signature` of Standard Webhooks: over id, time and body, under the bytes that follow `whsec_` in base64; a secret of
/// another form is taken as it is.
pub fn standard(secret: &str, id: &str, timestamp: u64, body: &[u8]) -> String {
    let decoded = secret.strip_prefix(STANDARD_PREFIX).and_then(|text| BASE64.decode(text.as_bytes()).ok());
    let key = decoded.as_deref().unwrap_or(secret.as_bytes());
    let head = format!("{id}.{timestamp}.");
    format!("v1,{}", BASE64.encode(&hmac(key, &[head.as_bytes(), body])))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC takes keys of any length; the error type is that of other algorithms.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_signed_as_rfc_4231_has_it() {
        // Test case 2 of RFC 4231.
        assert_eq!(
            backchannel("Jefe", b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn the_standard_signature_is_that_of_its_specification() {
        // The example of the Standard Webhooks libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signature = standard(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_ne!(standard("plain", "a", 1, b"{}"), standard("other", "a", 1, b"{}"));
    }
}
