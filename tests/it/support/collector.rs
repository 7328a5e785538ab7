//! A collector of OpenTelemetry: an OTLP/HTTP receiver on loopback that reads what comes and keeps it, bytes included.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::serve::Listener;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::tls::Tls;
use super::wait::eventually;

/// A span as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Of the process.
    pub resource: BTreeMap<String, String>,
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty: it is the first one.
    pub parent: String,
    /// 2: server, 3: client.
    /// What came as `tracestate`.
    pub state: String,
    pub kind: i32,
    pub failed: bool,
    pub attributes: BTreeMap<String, String>,
    /// Trace and span of each link.
    pub links: Vec<(String, String)>,
    pub events: usize,
}

impl Seen {
    /// An attribute; empty where there is none.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// As a caller would be told of it.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace, self.id)
    }

    /// What a link to it names.
    pub fn place(&self) -> (String, String) {
        (self.trace.clone(), self.id.clone())
    }
}

/// Runs until it is dropped.
pub struct Collector {
    scheme: &'static str,
    address: SocketAddr,
    got: Arc<Got>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Got {
    spans: Mutex<Vec<Seen>>,
    bytes: Mutex<Vec<u8>>,
    headers: Mutex<Vec<HeaderMap>>,
    requests: AtomicUsize,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Collector {
    pub async fn start() -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").await.expect("a free port"), "http")
    }

    /// One that speaks TLS alone.
    pub async fn start_with_tls(tls: &Tls) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::at(Secured { listener, acceptor: Arc::new(tls.server()).into() }, "https")
    }

    fn at(listener: impl Listener<Addr = SocketAddr>, scheme: &'static str) -> Self {
        let (address, got) = (listener.local_addr().expect("an address"), Arc::<Got>::default());
        let app = axum::Router::new().route("/v1/traces", post(take)).with_state(got.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self { scheme, address, got, task }
    }

    /// For OTEL_EXPORTER_OTLP_ENDPOINT.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub fn spans(&self) -> Vec<Seen> {
        lock(&self.got.spans).clone()
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.got.requests.load(Ordering::SeqCst)
    }

    /// The headers of each request.
    pub fn headers(&self) -> Vec<HeaderMap> {
        lock(&self.got.headers).clone()
    }

    /// Whether this text came, compressed or not.
    pub fn got_text(&self, text: &str) -> bool {
        lock(&self.got.bytes).windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// Waits for a span of this name that is as wanted.
    pub async fn finds(&self, name: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        let find = || self.spans().into_iter().find(|span| span.name == name && wanted(span));
        eventually(&format!("a span {name}"), Duration::from_secs(30), || async { find().is_some() }).await;
        find().expect("it was there a moment ago")
    }
}

/// Connections that have agreed on TLS; the others are dropped.
struct Secured {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(State(got): State<Arc<Got>>, headers: HeaderMap, body: Bytes) -> Vec<u8> {
    got.requests.fetch_add(1, Ordering::SeqCst);
    let mut plain = Vec::new();
    if headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
        flate2::read::GzDecoder::new(body.as_ref()).read_to_end(&mut plain).expect("gzip");
    } else {
        plain.extend_from_slice(&body);
    }
    lock(&got.headers).push(headers);
    lock(&got.bytes).extend_from_slice(&plain);
    let request = ExportTraceServiceRequest::decode(plain.as_slice()).expect("protobuf of OTLP");
    let mut spans = lock(&got.spans);
    for of_process in request.resource_spans {
        let resource = texts(of_process.resource.expect("a resource").attributes);
        for span in of_process.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(seen(resource.clone(), span));
        }
    }
    ExportTraceServiceResponse::default().encode_to_vec()
}

fn seen(resource: BTreeMap<String, String>, span: Span) -> Seen {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    Seen {
        resource,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        state: span.trace_state,
        kind: span.kind,
        failed: span.status.is_some_and(|status| status.code == 2),
        attributes: texts(span.attributes),
        links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
        events: span.events.len(),
        name: span.name,
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|pair| (pair.key, text(pair.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(yes)) => yes.to_string(),
        other => format!("{other:?}"),
    }
}
