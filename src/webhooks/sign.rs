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

    /// `X-Backchannel-Signature`: HMAC-SHA256 of the body.
    pub fn backchannel(&self, body: &[u8]) -> String {
        format!("sha256={}", HEXLOWER.encode(&signature(self.plain.clone(), &[body])))
    }

    /// `webhook-signature` of Standard Webhooks: over id, time and body.
    pub fn standard(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let head = format!("{id}.{timestamp}.");
        format!("v1,{}", BASE64.encode(&signature(self.standard.clone(), &[head.as_bytes(), body])))
    }
}

fn signature(mut mac: Hmac<Sha256>, parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(secret: &str) -> Signer {
        Signer::of(secret).expect("a secret")
    }

    #[test]
    fn the_body_is_signed_as_rfc_4231_has_it() {
        // Test case 2 of RFC 4231.
        assert_eq!(
            signer("Jefe").backchannel(b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn the_standard_signature_is_that_of_its_specification() {
        // The example of the Standard Webhooks libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signature = signer(secret).standard("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_ne!(signer("plain").standard("a", 1, b"{}"), signer("other").standard("a", 1, b"{}"));
        assert!(Signer::of("").is_none());
    }
}
