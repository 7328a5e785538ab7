//! What documents say of this instance.

use serde::Serialize;

use crate::api_keys::minting;
use crate::app::App;
use crate::claims::{DEFAULT_LEASE_S, MAX_LEASE_S};
use crate::http::Context;
use crate::operation::{Auth, Operation};
use crate::router;
use crate::settings::Settings;

/// The names that templates may use. Seconds unless the name says otherwise.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    /// The advertised URL, without a slash at the end.
    pub base: String,
    pub version: &'static str,
    pub api_version: &'static str,
    pub instance_kind: String,
    /// Whether `POST /v1/keys` hands out keys to whoever asks.
    pub minting_open: bool,
    /// Keys of one client address in a window; 0: no limit.
    pub key_mint_limit: u64,
    pub key_mint_window: u64,
    /// Requests of one key in a window; 0: no limit.
    pub rate_limit: u64,
    pub rate_limit_window: u64,
    pub max_content_bytes: usize,
    /// Longest wait of a request; 0: requests are answered at once.
    pub max_wait: f64,
    pub default_ttl: u64,
    pub min_ttl: u64,
    pub default_retention_days: u64,
    pub default_lease: u64,
    pub max_lease: u64,
    pub default_discoverable: bool,
    pub max_channels_per_key: u64,
    pub max_messages_per_channel: u64,
    pub max_bytes_per_channel: u64,
    /// Bytes that a key may post in a day; 0: no limit.
    pub max_bytes_per_day: u64,
    pub max_bytes_per_key: u64,
    pub max_leases_per_key: u64,
    pub max_leases_per_channel: u64,
    /// Days without use after which an empty channel is deleted; 0: never.
    pub channel_idle_days: u64,
    /// Whether there is a sandbox.
    pub sandbox: bool,
    pub sandbox_ttl: u64,
    pub sandbox_max_messages: u64,
    pub sandbox_max_writes_per_minute: u64,
    pub sandbox_heartbeat: u64,
    /// Whether the operator's operations are on.
    pub admin: bool,
    /// The version of the vendored reference, for its URLs.
    pub swagger_ui: &'static str,
    /// Every operation, by area of the API.
    pub areas: Vec<Area>,
}

/// Operations that belong together.
#[derive(Clone, Debug, Serialize)]
pub struct Area {
    pub name: &'static str,
    pub operations: Vec<Line>,
}

/// An operation in a table.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    pub id: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    pub summary: &'static str,
    /// What its caller needs.
    pub needs: &'static str,
}

impl Facts {
    pub fn new(settings: &Settings, base: &str, minting_open: bool) -> Self {
        Self {
            base: base.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            api_version: "1.0",
            instance_kind: settings.instance_kind.clone(),
            minting_open,
            key_mint_limit: settings.key_mint_limit,
            key_mint_window: settings.key_mint_window_s,
            rate_limit: settings.rate_limit,
            rate_limit_window: settings.rate_limit_window_s,
            max_content_bytes: settings.max_message_bytes,
            max_wait: if settings.longpoll_enabled { settings.longpoll_max_wait.as_secs_f64() } else { 0.0 },
            default_ttl: settings.default_ttl_s,
            min_ttl: settings.min_ttl_s,
            default_retention_days: settings.default_retention_days,
            default_lease: DEFAULT_LEASE_S,
            max_lease: MAX_LEASE_S,
            default_discoverable: settings.default_discoverable,
            max_channels_per_key: settings.max_channels_per_key,
            max_messages_per_channel: settings.max_messages_per_channel,
            max_bytes_per_channel: settings.max_bytes_per_channel,
            max_bytes_per_day: settings.max_bytes_per_key_per_day,
            max_bytes_per_key: settings.max_bytes_per_key,
            max_leases_per_key: settings.max_leases_per_key,
            max_leases_per_channel: settings.max_leases_per_channel,
            channel_idle_days: settings.channel_idle_days,
            sandbox: settings.sandbox,
            sandbox_ttl: settings.sandbox_ttl_s,
            sandbox_max_messages: settings.sandbox_max_messages,
            sandbox_max_writes_per_minute: settings.sandbox_max_writes_per_minute,
            sandbox_heartbeat: settings.sandbox_heartbeat_s,
            admin: settings.admin_token.is_some(),
            swagger_ui: super::playground::VERSION,
            areas: areas(),
        }
    }

    /// For a request. While Redis cannot tell whether minting is open, documents say that it is: a reader then learns more from trying.
    pub async fn now(app: &App, context: &Context) -> Self {
        let minting_open = minting::is_open(app).await.unwrap_or(true);
        Self::new(&app.settings, context.base_url(), minting_open)
    }
}

/// The rows of the router, those of one tag together, in the router's order.
fn areas() -> Vec<Area> {
    let mut areas: Vec<Area> = Vec::new();
    for operation in router::operations() {
        let line = line(operation);
        match areas.iter_mut().find(|area| area.name == operation.tag) {
            Some(area) => area.operations.push(line),
            None => areas.push(Area { name: operation.tag, operations: vec![line] }),
        }
    }
    areas
}

fn line(operation: &Operation) -> Line {
    let needs = match operation.auth {
        Auth::Public => "nothing",
        Auth::Key(None) => "any key",
        Auth::Key(Some(scope)) => scope.word(),
        Auth::Admin => "the operator's token",
    };
    Line { id: operation.id, method: operation.method, path: operation.path, summary: operation.summary, needs }
}
