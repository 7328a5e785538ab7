//! Members: the keys that may use a restricted channel.

pub mod add;
pub mod list;
pub mod remove;

use serde::Serialize;
use utoipa::ToSchema;

use crate::ids::{ChannelId, Micros};

/// One member of a channel.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub struct MemberView {
    id: String,
    channel_id: String,
    key_id: String,
    granted_at: String,
    granted_via_invitation_id: Option<String>,
}

impl MemberView {
    fn new(channel: &ChannelId, key: &str, granted_at: Micros, invitation: &str) -> Self {
        Self {
            id: format!("mem_{}_{}", &channel.as_str()[3..], key.trim_start_matches("bck_")),
            channel_id: channel.as_str().to_owned(),
            key_id: key.to_owned(),
            granted_at: granted_at.rfc3339(),
            granted_via_invitation_id: Some(invitation.to_owned()).filter(|i| !i.is_empty()),
        }
    }
}
