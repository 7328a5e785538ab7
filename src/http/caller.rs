//! Who asks: taken as a parameter by every handler, so that none can forget to ask.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::FromRequestParts;
use http::header::{AUTHORIZATION, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};
use subtle::ConstantTimeEq;

use super::{Context, once};
use crate::actors::Actor;
use crate::api_keys::admit::{self, Admitted};
use crate::api_keys::{cache, news};
use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::ids::{ActorId, KeyId, Micros, PresentedKey};
use crate::operation::{Auth, Scope};
use crate::settings::Secret;

static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// An API key that was checked: it is active, within its rate limit, and its scopes allow the operation.
pub struct Caller {
    pub key: KeyId,
    /// What is known of the key.
    pub admitted: Arc<Admitted>,
    pub method: Method,
    pub path: String,
    /// The `Idempotency-Key` header, checked.
    pub idempotency_key: Option<HeaderValue>,
    presented: PresentedKey,
    /// What the operation asks of the key.
    scope: Option<Scope>,
    checked_at: u64,
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let context = Context::from_request_parts(parts, app).await?;
        let operation = context.operation().ok_or_else(|| ApiError::internal("a caller was asked for outside an operation"))?;
        let presented = presented_key(&parts.headers).ok_or_else(|| ApiError::new(Code::Unauthorized))?;
        let checked_at = app.key_cache.epoch();
        let (admitted, remaining) = admit::count(app, &presented).await.inspect_err(|e| {
            if e.code() == Code::RateLimitExceeded {
                context.set_key(&presented.id, Some(0)); // the key was checked before it was counted
            }
        })?;
        context.set_key(&presented.id, remaining);
        let scope = if let Auth::Key(scope) = operation.auth { scope } else { None };
        check_scope(&admitted, scope)?;
        if operation.adds() {
            app.capacity.check()?;
        }
        Ok(Self {
            key: presented.id.clone(),
            admitted,
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            idempotency_key: once::header(&parts.headers)?,
            presented,
            scope,
            checked_at,
        })
    }
}

impl Caller {
    /// The service itself as one of its own keys, without a request: nothing was asked and nothing is counted.
    pub fn of_service(key: KeyId, label: &str) -> Self {
        let actor = Actor { id: ActorId::generate(&key.slot()), name: label.to_owned() };
        let (_, presented) = PresentedKey::mint(key.clone());
        let admitted = Admitted { label: label.to_owned(), scopes: None, actor, created: Micros::default(), asked_at: Instant::now() };
        Self {
            key,
            admitted: Arc::new(admitted),
            method: Method::POST,
            path: String::new(),
            idempotency_key: None,
            presented,
            scope: None,
            checked_at: 0,
        }
    }

    /// Asks for a further scope, where an operation does more than its name says.
    ///
    /// # Errors
    /// `insufficient_scope`.
    pub fn require(&self, scope: Scope) -> Result<()> {
        check_scope(&self.admitted, Some(scope))
    }

    /// Whether the key still may do what it asked for when the request came: for answers given after a wait. The message that tells of a
    /// change may have been lost, or never sent by a replica that died. So what is known counts for as long as the cache would keep it, or
    /// as long as no change was announced.
    ///
    /// # Errors
    /// `unauthorized` when it was revoked meanwhile, `insufficient_scope` when it was narrowed.
    pub async fn still_admitted(&self, app: &App) -> Result<()> {
        if app.key_cache.epoch() == self.checked_at && self.admitted.asked_at.elapsed() < cache::LIFE {
            return Ok(());
        }
        if news::vouches(app, self.key.as_str(), self.admitted.asked_at).await {
            return Ok(());
        }
        let now = Box::pin(admit::look(app, &self.presented)).await?;
        check_scope(&now, self.scope)
    }
}

fn presented_key(headers: &HeaderMap) -> Option<PresentedKey> {
    let text = match headers.get(&X_API_KEY) {
        Some(value) => value.to_str().ok()?,
        None => {
            let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token)?
        }
    };
    PresentedKey::parse(text.trim())
}

fn check_scope(admitted: &Admitted, scope: Option<Scope>) -> Result<()> {
    match (&admitted.scopes, scope) {
        (Some(granted), Some(scope)) if !granted.iter().any(|g| g == scope.word()) => {
            Err(ApiError::new(Code::InsufficientScope).with("required_scope", scope.word()).with("granted_scopes", granted.clone()))
        }
        _ => Ok(()),
    }
}

/// The operator, by `X-Admin-Token`.
pub struct Admin;

impl FromRequestParts<App> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Some(expected) = app.settings.admin_token.as_ref().map(Secret::expose) else {
            return Err(ApiError::new(Code::AdminDisabled));
        };
        let given = parts.headers.get("x-admin-token").map(HeaderValue::as_bytes).unwrap_or_default();
        if bool::from(given.ct_eq(expected.as_bytes())) { Ok(Self) } else { Err(ApiError::new(Code::AdminUnauthorized)) }
    }
}
