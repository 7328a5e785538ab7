//! Every operation on one page, one row each; below them the layers, outermost first.

use std::sync::LazyLock;

use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get, on};
use foldhash::HashMap;
use http::{Method, StatusCode};

use crate::app::App;
use crate::http::finish::{self, FinishLayer};
use crate::http::{flood, headers};
use crate::operation::Operation;
use crate::{
    access_requests, actors, admin, api_keys, audit, channels, claims, discovery, documents, events, invitations, members, messages, rooms,
    sessions, tasks, usage, webhooks,
};

/// All operations with their handlers: the rows the router is built from, and the document is written from.
fn rows() -> Vec<Row> {
    vec![
        row(&api_keys::issue::ISSUE_KEY, api_keys::issue::handle),
        row(&api_keys::me::KEYS_ME, api_keys::me::show),
        row(&api_keys::me::DELETE_KEYS_ME, api_keys::me::revoke),
        row(&api_keys::scopes::SET_KEY_SCOPES, api_keys::scopes::handle),
        row(&api_keys::minting::ADMIN_SET_MINTING, api_keys::minting::handle),
        row(&admin::issue_key::ADMIN_ISSUE_KEY, admin::issue_key::handle),
        row(&admin::revoke_key::ADMIN_REVOKE_KEY, admin::revoke_key::handle),
        row(&admin::pause::ADMIN_PAUSE_CHANNEL, admin::pause::pause),
        row(&admin::pause::ADMIN_RESUME_CHANNEL, admin::pause::resume),
        row(&admin::delete_channel::ADMIN_DELETE_CHANNEL, admin::delete_channel::handle),
        row(&audit::all::ADMIN_AUDIT, audit::all::handle),
        row(&audit::mine::SECURITY_AUDIT, audit::mine::handle),
        row(&usage::quotas::ADMIN_QUOTAS, usage::quotas::handle),
        row(&usage::account::ACCOUNT_USAGE, usage::account::handle),
        row(&usage::metrics::OBSERVABILITY_METRICS, usage::metrics::handle),
        row(&usage::channel::CHANNEL_METRICS, usage::channel::handle),
        row(&channels::create::CREATE_CHANNEL, channels::create::handle),
        row(&channels::discover::DISCOVER_CHANNELS, channels::discover::handle),
        row(&channels::read::GET_CHANNEL, channels::read::handle),
        row(&channels::update::UPDATE_CHANNEL, channels::update::handle),
        row(&channels::delete::DELETE_CHANNEL, channels::delete::handle),
        row(&channels::aliases::CREATE_CHANNEL_ALIAS, channels::aliases::handle),
        row(&channels::alias_remove::DELETE_CHANNEL_ALIAS, channels::alias_remove::handle),
        row(&members::add::ADD_CHANNEL_MEMBER, members::add::handle),
        row(&members::list::LIST_CHANNEL_MEMBERS, members::list::handle),
        row(&members::remove::REMOVE_CHANNEL_MEMBER, members::remove::handle),
        row(&access_requests::request::REQUEST_CHANNEL_ACCESS, access_requests::request::handle),
        row(&access_requests::list::LIST_CHANNEL_ACCESS_REQUESTS, access_requests::list::handle),
        row(&access_requests::approve::APPROVE_CHANNEL_ACCESS_REQUEST, access_requests::approve::handle),
        row(&access_requests::deny::DENY_CHANNEL_ACCESS_REQUEST, access_requests::deny::handle),
        row(&invitations::create::CREATE_CHANNEL_INVITATION, invitations::create::handle),
        row(&invitations::resolve::GET_CHANNEL_INVITATION, invitations::resolve::handle),
        row(&invitations::revoke::REVOKE_CHANNEL_INVITATION, invitations::revoke::handle),
        row(&events::list::LIST_CHANNEL_EVENTS, events::list::handle),
        row(&messages::post::CREATE_MESSAGE, messages::post::handle),
        row(&messages::list::LIST_MESSAGES, messages::list::handle),
        row(&messages::history::LIST_CHANNEL_HISTORY, messages::history::handle),
        row(&messages::receipt::GET_MESSAGE, messages::receipt::handle),
        row(&messages::retract::DELETE_MESSAGE, messages::retract::handle),
        row(&claims::claim::CLAIM_MESSAGE, claims::claim::plain),
        row(&claims::claim::CLAIM_MESSAGE_WITH_LEASE, claims::claim::leased),
        row(&claims::heartbeat::HEARTBEAT_LEASE, claims::heartbeat::handle),
        row(&claims::release::RELEASE_MESSAGE, claims::release::handle),
        row(&claims::ack::ACK_MESSAGE, claims::ack::handle),
        row(&tasks::post::TASK_POST, tasks::post::handle),
        row(&tasks::claim::TASK_CLAIM, tasks::claim::handle),
        row(&tasks::subscribe::TASK_SUBSCRIBE, tasks::subscribe::handle),
        row(&tasks::broadcast::TASK_BROADCAST, tasks::broadcast::handle),
        row(&tasks::session::TASK_CREATE_CLAIMABLE_SESSION, tasks::session::handle),
        row(&tasks::claim_and_ack::TASK_CLAIM_AND_ACK, tasks::claim_and_ack::handle),
        row(&tasks::post_with_result::TASK_POST_WITH_RESULT, tasks::post_with_result::handle),
        row(&tasks::result::TASK_PUBLISH_RESULT, tasks::result::publish),
        row(&tasks::result::TASK_AWAIT_RESULT, tasks::result::show),
        row(&sessions::create::CREATE_SESSION, sessions::create::handle),
        row(&sessions::list::LIST_SESSIONS, sessions::list::handle),
        row(&sessions::read::GET_SESSION, sessions::read::handle),
        row(&sessions::update::PATCH_SESSION, sessions::update::handle),
        row(&sessions::delete::DELETE_SESSION, sessions::delete::handle),
        row(&actors::register::CREATE_ACTOR, actors::register::handle),
        row(&actors::read::GET_ACTOR, actors::read::handle),
        row(&actors::aliases::CREATE_ACTOR_ALIAS, actors::aliases::handle),
        row(&actors::alias_remove::DELETE_ACTOR_ALIAS, actors::alias_remove::handle),
        row(&actors::hook_set::SET_ACTOR_WEBHOOK, actors::hook_set::handle),
        row(&actors::hook_read::GET_ACTOR_WEBHOOK, actors::hook_read::handle),
        row(&actors::hook_delete::DELETE_ACTOR_WEBHOOK, actors::hook_delete::handle),
        row(&webhooks::owners::deliveries::LIST_CHANNEL_WEBHOOK_DELIVERIES, webhooks::owners::deliveries::of_channel),
        row(&webhooks::owners::replay::REPLAY_CHANNEL_WEBHOOK_DELIVERY, webhooks::owners::replay::of_channel),
        row(&webhooks::owners::dead_letters::LIST_CHANNEL_WEBHOOK_DEAD_LETTERS, webhooks::owners::dead_letters::of_channel),
        row(&webhooks::owners::redrive::REDRIVE_CHANNEL_WEBHOOK_DEAD_LETTERS, webhooks::owners::redrive::of_channel),
        row(&webhooks::owners::test::TEST_CHANNEL_WEBHOOK, webhooks::owners::test::of_channel),
        row(&webhooks::owners::deliveries::LIST_ACTOR_WEBHOOK_DELIVERIES, webhooks::owners::deliveries::of_actor),
        row(&webhooks::owners::replay::REPLAY_ACTOR_WEBHOOK_DELIVERY, webhooks::owners::replay::of_actor),
        row(&webhooks::owners::dead_letters::LIST_ACTOR_WEBHOOK_DEAD_LETTERS, webhooks::owners::dead_letters::of_actor),
        row(&webhooks::owners::redrive::REDRIVE_ACTOR_WEBHOOK_DEAD_LETTERS, webhooks::owners::redrive::of_actor),
        row(&webhooks::owners::test::TEST_ACTOR_WEBHOOK, webhooks::owners::test::of_actor),
        row(&discovery::health::HEALTH, discovery::health::handle),
    ]
}

/// The service, with all its layers.
pub fn router(app: App) -> axum::Router {
    let mut api = documents::routes().merge(rooms::routes());
    let mut paths = Vec::new();
    for row in rows() {
        let path = row.operation.path;
        api = api.route(path, row.handler);
        if !paths.contains(&path) {
            paths.push(path);
            api = api.route(path, on(MethodFilter::OPTIONS, preflight));
        }
    }
    let api = api.fallback(finish::not_found);
    let api = match flood::layer(app.settings.flood_limit) {
        Some(shield) => api.layer(shield),
        None => api,
    };
    // Probes stand outside of the flood shield: an address that floods must not make the replica look dead.
    let mut probes = probes();
    if app.settings.metrics_port.is_none() {
        probes = probes.route("/metrics", get(discovery::health::metrics).options(preflight));
    }
    api.merge(probes).layer(FinishLayer::new(app.clone())).with_state(app)
}

fn probes() -> axum::Router<App> {
    axum::Router::new()
        .route("/livez", get(discovery::health::alive).options(preflight))
        .route("/startupz", get(discovery::health::started).options(preflight))
        .route("/readyz", get(discovery::health::ready).options(preflight))
}

/// What stands on the operator's own port, if one is set.
pub fn metrics_router(app: App) -> axum::Router {
    probes()
        .route("/metrics", get(discovery::health::metrics))
        .fallback(finish::not_found)
        .layer(FinishLayer::new(app.clone()))
        .with_state(app)
}

/// All operations, for documents and tests.
pub fn operations() -> Vec<&'static Operation> {
    rows().into_iter().map(|row| row.operation).collect()
}

struct Row {
    operation: &'static Operation,
    handler: MethodRouter<App>,
}

fn row<H, T>(operation: &'static Operation, handler: H) -> Row
where
    H: Handler<T, App>,
    T: 'static,
{
    let method = Method::from_bytes(operation.method.as_bytes()).ok().and_then(|m| MethodFilter::try_from(m).ok());
    let method = method.unwrap_or(MethodFilter::GET); // a wrong word would fail the contract test
    Row { operation, handler: on(method, handler) }
}

/// The operation that a request to this route is.
pub fn operation(method: &Method, route: &str) -> Option<&'static Operation> {
    static BY_ROUTE: LazyLock<HashMap<&'static str, Vec<&'static Operation>>> = LazyLock::new(|| {
        let mut by_route: HashMap<_, Vec<_>> = HashMap::default();
        for operation in operations() {
            by_route.entry(operation.path).or_default().push(operation);
        }
        by_route
    });
    // HEAD is answered as GET without the body.
    let method = if *method == Method::HEAD { Method::GET.as_str() } else { method.as_str() };
    BY_ROUTE.get(route)?.iter().copied().find(|o| o.method == method)
}

/// The answer to OPTIONS on a path that there is.
pub async fn preflight() -> Response {
    (StatusCode::NO_CONTENT, headers::preflight()).into_response()
}
