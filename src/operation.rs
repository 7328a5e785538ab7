//! What an operation is: the row that the router, the scopes, the documents and the tests read.

use std::borrow::Cow;
use std::fmt;

use utoipa::openapi::{RefOr, Schema};

use crate::error::Code;
use crate::store::Script;

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Anyone.
    Public,
    /// Whoever has an API key; with this scope, if the key's scopes are restricted.
    Key(Option<Scope>),
    /// The operator, by `X-Admin-Token`.
    Admin,
}

/// What a key may be restricted to (protocol, chapter 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    ChannelsManage,
    ChannelsRead,
    ChannelsWrite,
    MessagesAck,
    MessagesClaim,
    MessagesRead,
    MessagesWrite,
}

impl Scope {
    /// All scopes, in the order answers list them.
    pub const ALL: &[Self] = &[
        Self::ChannelsManage,
        Self::ChannelsRead,
        Self::ChannelsWrite,
        Self::MessagesAck,
        Self::MessagesClaim,
        Self::MessagesRead,
        Self::MessagesWrite,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::ChannelsManage => "channels:manage",
            Self::ChannelsRead => "channels:read",
            Self::ChannelsWrite => "channels:write",
            Self::MessagesAck => "messages:ack",
            Self::MessagesClaim => "messages:claim",
            Self::MessagesRead => "messages:read",
            Self::MessagesWrite => "messages:write",
        }
    }
}

/// A query parameter, for the documents.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    pub name: &'static str,
    /// JSON type: `string`, `integer`, `number`.
    pub kind: &'static str,
    pub about: &'static str,
}

/// A named schema: how documents describe a body.
pub type Body = fn() -> (Cow<'static, str>, Vec<(String, RefOr<Schema>)>);

/// What replaces an operation that is kept for older clients only. Its answers carry `Deprecation`, `Sunset` and `Link` headers, its
/// description in the documents is marked.
#[derive(Clone, Copy, Debug)]
pub struct Deprecated {
    /// Path to call instead; what stands in braces is taken from the path that was called.
    pub successor: &'static str,
}

impl Deprecated {
    /// What to call instead of `path`, a path of this route.
    pub fn instead_of(&self, route: &str, path: &str) -> String {
        let given = |name: &str| route.split('/').zip(path.split('/')).find(|(part, _)| *part == name).map(|(_, given)| given);
        self.successor.split('/').map(|part| given(part).filter(|_| part.starts_with('{')).unwrap_or(part)).collect::<Vec<_>>().join("/")
    }
}

/// One operation of the API.
pub struct Operation {
    /// `operationId` of the contract.
    pub id: &'static str,
    pub method: &'static str,
    /// Path template, as in the contract.
    pub path: &'static str,
    pub tag: &'static str,
    /// One line: what it does.
    pub summary: &'static str,
    /// What an agent must know to call it right.
    pub about: &'static str,
    /// None: it is here to stay.
    pub deprecated: Option<Deprecated>,
    pub auth: Auth,
    pub query: &'static [Param],
    pub request: Option<Body>,
    /// Status of success and, if it has a body, its schema.
    pub success: (u16, Option<Body>),
    /// A second status of success, where there is one: 200 next to 201.
    pub also: Option<u16>,
    /// Its scripts: their `@no` lines are this operation's refusals…
    pub scripts: &'static [&'static Script],
    /// …with those that Rust makes itself.
    pub refusals: &'static [Code],
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

impl Operation {
    /// Whether it takes effect, and so takes an `Idempotency-Key`.
    pub fn writes(&self) -> bool {
        self.method != "GET"
    }

    /// Whether it puts something new into the store: refused while that is full, where changing, claiming, acknowledging and removing go on.
    pub fn adds(&self) -> bool {
        let scope = if let Auth::Key(scope) = self.auth { scope } else { None };
        self.method == "POST" && matches!(scope, Some(Scope::MessagesWrite | Scope::ChannelsWrite | Scope::ChannelsManage))
    }

    /// Whether replicas of Redis confirm what it did, where the operator asks for that: what it runs is a script about messages.
    fn changes_a_message(&self) -> bool {
        let of_messages = |script: &&Script| ["claims/", "messages/", "tasks/"].iter().any(|place| script.name().starts_with(place));
        self.writes() && self.scripts.iter().any(of_messages)
    }

    /// Every code it may answer with: its scripts' refusals, its own, and what any request of its kind can meet.
    pub fn codes(&self) -> Vec<Code> {
        let mut codes = vec![Code::RateLimitExceeded, Code::StorageUnavailable, Code::Overloaded, Code::InternalError];
        match self.auth {
            Auth::Public => {}
            Auth::Key(scope) => {
                codes.push(Code::Unauthorized);
                codes.extend(scope.map(|_| Code::InsufficientScope));
            }
            Auth::Admin => codes.extend([Code::AdminDisabled, Code::AdminUnauthorized]),
        }
        if self.path.contains('{') {
            codes.push(Code::InvalidPath);
        }
        if self.writes() {
            codes.extend([
                Code::OutcomeUnknown,
                Code::StorageFull,
                Code::PayloadTooLarge,
                Code::RequestTimeout,
                Code::InvalidJson,
                Code::InvalidJsonShape,
            ]);
            if self.changes_a_message() {
                codes.push(Code::NotReplicated);
            }
            if matches!(self.auth, Auth::Key(_)) {
                codes.extend([Code::InvalidIdempotencyKey, Code::IdempotencyKeyReused]);
            }
        }
        codes.extend(self.refusals);
        for script in self.scripts {
            codes.extend(script.parsed().map(|p| p.refusals()).unwrap_or_default());
        }
        codes.sort_by_key(|c| (c.spec().status, c.spec().word));
        codes.dedup();
        codes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_call_instead_names_the_same_thing() {
        let instead = |successor, route, path| Deprecated { successor }.instead_of(route, path);
        assert_eq!(
            instead("/v1/messages/{message_id}/ack", "/v1/tasks/{message_id}/result", "/v1/tasks/msg_1/result"),
            "/v1/messages/msg_1/ack"
        );
        assert_eq!(instead("/v1/tasks/post", "/v1/tasks/post-with-result", "/v1/tasks/post-with-result"), "/v1/tasks/post");
    }
}
