//! How a receiver knows that a delivery comes from here: two signatures over the same secret.

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a secret of the Standard Webhooks form begins with; base64 follows.
const STANDARD_PREFIX: &str = "whsec_";

/// Signs under one secret, for many deliveries.
#[derive(Clone)]
pub struct Signer {
    /// Keyed with the bytes of the secret's text.
    plain: Hmac<Sha256>,
    /// Keyed with what follows `whsec_`, in base64; a secret of another form is taken as it is.
    standard: Hmac<Sha256>,
}

impl Signer {
    /// None: there is no secret.
    pub fn of(secret: &str) -> Option<Self> {
        if secret.is_empty() {
            return None;
        }
        let decoded = secret.strip_prefix(STANDARD_PREFIX).and_then(|text| BASE64.decode(text.as_bytes()).ok());
        // HMAC takes keys of any length; the error type is that of other algorithms.
        let keyed = |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).ok();
        Some(Self { plain: keyed(secret.as_bytes())?, standard: keyed(decoded.as_deref().unwrap_or(secret.as_bytes()))? })
    }

    /// Appends `X-Backchannel-Signature`: HMAC-SHA256 of the body.
    pub fn backchannel(&self, body: &[u8], text: &mut String) {
        text.push_str("sha256=");
        HEXLOWER.encode_append(&signature(self.plain.clone(), &[body]), text);
    }

    /// Appends `webhook-signature` of Standard Webhooks: over id, time (seconds, as it is sent) and body.
    pub fn standard(&self, id: &str, timestamp: &str, body: &[u8], text: &mut String) {
        text.push_str("v1,");
        let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        BASE64.encode_append(&signature(self.standard.clone(), &parts), text);
    }
}

fn signature(mut mac: Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(secret: &str) -> Signer {
        Signer::of(secret).expect("a secret")
    }

    fn plain(secret: &str, body: &str) -> String {
        let mut text = String::new();
        signer(secret).backchannel(body.as_bytes(), &mut text);
        text
    }

    fn standard(secret: &str, id: &str, timestamp: &str, body: &str) -> String {
        let mut text = String::new();
        signer(secret).standard(id, timestamp, body.as_bytes(), &mut text);
        text
    }

    #[test]
    fn the_body_is_signed_as_rfc_4231_has_it() {
        // Test case 2 of RFC 4231.
        assert_eq!(
            plain("Jefe", "what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn the_standard_signature_is_that_of_its_specification() {
        // The example of the Standard Webhooks libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signature = standard(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_ne!(standard("plain", "a", "1", "{}"), standard("other", "a", "1", "{}"));
        assert!(Signer::of("").is_none());
    }
}
