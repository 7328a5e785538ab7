//! The outermost layer: it knows the request before anyone else and the response after everyone else. It gives ids and headers, writes
//! error bodies, logs one line, and counts.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, StatusCode};
use tower::{Layer, Service};
use tracing::Instrument;

use super::{Context, address, headers};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::router;
use crate::serving::Unreadable;
use crate::telemetry::{self, RequestSpan};

/// What asks every few seconds whether the process is well.
const UNTRACED: [&str; 4] = ["/livez", "/startupz", "/readyz", "/metrics"];

static X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");

/// Wraps every request of a router in [`finish`].
#[derive(Clone)]
pub struct FinishLayer {
    app: App,
    fixed: Arc<headers::Fixed>,
}

impl FinishLayer {
    pub fn new(app: App) -> Self {
        Self { fixed: Arc::new(headers::Fixed::new(&app.settings)), app }
    }
}

impl<S> Layer<S> for FinishLayer {
    type Service = Finish<S>;

    fn layer(&self, inner: S) -> Finish<S> {
        Finish { layer: self.clone(), inner }
    }
}

/// A route in its layer.
#[derive(Clone)]
pub struct Finish<S> {
    layer: FinishLayer,
    inner: S,
}

impl<S> Service<Request> for Finish<S>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let begun = Begun::new(&self.layer.app, &mut request);
        let (layer, response) = (self.layer.clone(), self.inner.call(request));
        match begun.span.as_ref().map(|span| span.span()) {
            None => Box::pin(async move { Ok(finish(&layer, begun, response).await) }),
            Some(span) => Box::pin(async move { Ok(finish(&layer, begun, response.instrument(span)).await) }),
        }
    }
}

/// What is known of a request before it runs.
struct Begun {
    at: Instant,
    method: Method,
    route: Option<MatchedPath>,
    context: Context,
    traceparent: String,
    /// None: it is not traced.
    span: Option<Box<RequestSpan>>,
    https: bool,
    /// The path of a deprecated operation: its successor may be named after it.
    deprecated_path: String,
}

impl Begun {
    fn new(app: &App, request: &mut Request) -> Self {
        let at = Instant::now();
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map_or_else(|| [127, 0, 0, 1].into(), |c| c.0.ip());
        let client = address::client_address(peer, request.headers(), &app.settings.trusted_proxies);
        let https = address::is_https(peer, request.headers(), &app.settings);
        let base_url = address::base_url(peer, request.headers(), https, &app.settings);
        let method = request.method().clone();
        let route = request.extensions().get::<MatchedPath>().cloned();
        let operation = route.as_ref().and_then(|r| router::operation(&method, r.as_str()));
        let deprecated_path = operation.and_then(|o| o.deprecated).map_or_else(String::new, |_| request.uri().path().to_owned());
        let fresh = headers::Fresh::random();
        let context = Context::new(headers::request_id(request.headers(), &fresh), client, base_url, operation);
        let path = route.as_ref().map(MatchedPath::as_str);
        let (span, traceparent) = if telemetry::is_on() && !path.is_some_and(|path| UNTRACED.contains(&path)) {
            RequestSpan::begin(&method, path, operation, context.request_id(), request.headers())
        } else {
            (None, headers::traceparent(request.headers(), &fresh))
        };
        request.extensions_mut().insert(context.clone());
        Self { at, method, route, context, traceparent, span, https, deprecated_path }
    }
}

async fn finish(layer: &FinishLayer, begun: Begun, response: impl Future<Output = Result<Response, Infallible>>) -> Response {
    let Begun { at, method, route, context, traceparent, span, https, deprecated_path } = begun;
    let metrics = &layer.app.metrics;
    let _running = metrics.request_began();
    let (error, mut response) = with_error_body(guarded(response).await, &context);

    if let Some(span) = span {
        span.ended(response.status().as_u16(), error.as_ref().map(|e| e.code().spec().word));
    }
    let elapsed = at.elapsed();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    if let Some(key) = context.key() {
        layer.app.tally.answered(key, response.status().as_u16());
    }
    metrics.request_ended(context.operation(), method.as_str(), route, response.status().as_u16(), elapsed);
    if let Some(error) = &error {
        metrics.refused(error.code().spec().word);
    }
    log(&context, method.as_str(), route, response.status(), error.as_ref(), elapsed.as_secs_f64() * 1000.0, &traceparent);

    layer.fixed.add(&mut response, context.base_url(), https, context.request_id(), traceparent);
    if let Some(left) = context.remaining() {
        response.headers_mut().insert(&X_RATELIMIT_REMAINING, HeaderValue::from(left));
    }
    if let Some(deprecated) = context.operation().and_then(|o| o.deprecated) {
        let instead = deprecated.instead_of(route, &deprecated_path);
        headers::add_deprecation(response.headers_mut(), context.base_url(), &instead);
    }
    response
}

/// Turns an error that a handler or layer left in the response into its body, and gives plain statuses of the router one.
fn with_error_body(mut response: Response, context: &Context) -> (Option<ApiError>, Response) {
    let error = response.extensions_mut().remove::<ApiError>().or_else(|| plain(&response));
    let Some(error) = error else { return (None, response) };
    let body = error.body(context.base_url(), context.request_id()).to_string();
    let (mut parts, _) = response.into_parts();
    parts.status = error.code().status();
    parts.headers.remove("content-length");
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    if let Some(seconds) = error.retry_after_s() {
        parts.headers.insert("retry-after", HeaderValue::from(seconds));
    }
    let full = Response::from_parts(parts, axum::body::Body::from(body));
    (Some(error), full)
}

/// The router and its layers answer some statuses without words of ours.
fn plain(response: &Response) -> Option<ApiError> {
    let code = match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::NOT_FOUND if !response.headers().contains_key(CONTENT_TYPE) => Code::NotFound,
        _ => return None,
    };
    Some(ApiError::new(code))
}

/// A panic of one handler is one 500, not a closed connection.
async fn guarded(response: impl Future<Output = Result<Response, Infallible>>) -> Response {
    match AssertUnwindSafe(response).catch_unwind().await {
        Ok(Ok(response)) => response,
        Err(_) => ApiError::internal("a handler panicked; its message is above in this log").into_response(),
    }
}

/// One line a request. Never content, secrets or tokens: the route is the template, not the path.
fn log(context: &Context, method: &str, route: &str, status: StatusCode, error: Option<&ApiError>, ms: f64, traceparent: &str) {
    let operation = context.operation().map_or("-", |o| o.id);
    let key = context.key().map_or("-", |k| k.as_str());
    let code = error.map_or("-", |e| e.code().spec().word);
    let trace = traceparent.get(3..35).unwrap_or_default();
    let cause = error.and_then(ApiError::log_cause).unwrap_or("-");
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                request.id = context.request_id(),
                operation,
                key.id = key,
                method,
                route,
                status = status.as_u16(),
                code,
                duration_ms = ms,
                trace.id = trace,
                cause,
                "request"
            )
        };
    }
    match status.as_u16() {
        500 => line!(error),
        501.. => line!(warn),
        _ => line!(info),
    }
}

/// Fallback of the router: no such route, or a request that could not be read at all.
pub async fn not_found(request: Request) -> Response {
    let code = match request.extensions().get::<Unreadable>() {
        None => Code::NotFound,
        Some(Unreadable(StatusCode::URI_TOO_LONG)) => Code::UriTooLong,
        Some(Unreadable(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)) => Code::HeadersTooLarge,
        Some(Unreadable(_)) => Code::MalformedRequest,
    };
    ApiError::new(code).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_answers_500_and_the_next_request_is_served() {
        let response = guarded(async { panic!("on purpose") }).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.extensions().get::<ApiError>().is_some_and(|e| e.log_cause().is_some()));
        assert_eq!(guarded(async { Ok(StatusCode::OK.into_response()) }).await.status(), StatusCode::OK);
    }
}
