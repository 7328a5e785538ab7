//! One file a script, small ones a file a domain: state in, call, reply and the whole keyspace of the slot out.
//!
//! Each file has a function `answers…` a script, which makes it give every answer of its header; the table below holds them together.

mod access_requests;
mod actors;
mod api_keys;
mod arguments;
mod audit;
mod channel_metrics;
mod channel_names;
mod channels;
mod channels_expire;
mod channels_survey;
mod claims_ack;
mod claims_ack_with_result;
mod claims_claim;
mod claims_claim_and_ack;
mod claims_give_back;
mod claims_heartbeat;
mod claims_next;
mod claims_release;
mod doctor;
mod duty;
mod events;
mod full_store;
mod hooks;
mod invitations;
mod jobs;
mod listing;
mod members;
mod messages_history;
mod messages_lift;
mod messages_list;
mod messages_list_claimed;
mod messages_list_unclaimed;
mod messages_post;
mod messages_receipt;
mod messages_retract;
mod no_channel;
mod placeholders;
mod pushing;
mod quotas_of_keys;
mod replication;
mod rooms;
mod rooms_counts;
mod sandbox;
mod sessions;
mod tasks;
mod usage;
mod webhooks;

use std::collections::BTreeSet;
use std::panic::catch_unwind;

use backchannel::store::scripts::ALL;

use crate::support::script::{Bench, on_both, script};

/// Makes a script give each of its answers.
type Answers = fn(&Bench);

/// Each script, and what makes it give each of its answers.
const ANSWERS: &[(&str, Answers)] = &[
    ("access_requests/approve", access_requests::answers_approve),
    ("access_requests/deny", access_requests::answers_deny),
    ("access_requests/list", access_requests::answers_list),
    ("access_requests/request", access_requests::answers_request),
    ("actors/alias_add", actors::answers_alias_add),
    ("actors/alias_remove", actors::answers_alias_remove),
    ("actors/find", actors::answers_find),
    ("actors/hook_delete", webhooks::answers_hook_delete),
    ("actors/hook_read", webhooks::answers_hook_read),
    ("actors/hook_set", webhooks::answers_hook_set),
    ("actors/known", actors::answers_known),
    ("actors/read", actors::answers_read),
    ("actors/register", actors::answers_register),
    ("aliases/drop", channel_names::answers_alias_drop),
    ("aliases/read", channel_names::answers_alias_read),
    ("aliases/take", channel_names::answers_alias_take),
    ("api_keys/admit", api_keys::answers_admit),
    ("api_keys/announce", api_keys::answers_announce),
    ("api_keys/announced", api_keys::answers_announced),
    ("api_keys/create", api_keys::answers_create),
    ("api_keys/look", api_keys::answers_look),
    ("api_keys/mint_gate", api_keys::answers_mint_gate),
    ("api_keys/minting", api_keys::answers_minting),
    ("api_keys/minting_read", api_keys::answers_minting_read),
    ("api_keys/read", api_keys::answers_read),
    ("api_keys/revoke", api_keys::answers_revoke),
    ("api_keys/set_scopes", api_keys::answers_set_scopes),
    ("audit/file", audit::answers_file),
    ("audit/list", audit::answers_list),
    ("audit/list_all", audit::answers_list_all),
    ("audit/note", audit::answers_note),
    ("channels/alias_add", channel_names::answers_alias_add),
    ("channels/alias_remove", channel_names::answers_alias_remove),
    ("channels/brief", listing::answers_brief),
    ("channels/discover", listing::answers_discover),
    ("channels/discover_enter", listing::answers_enter),
    ("channels/discover_leave", listing::answers_leave),
    ("channels/owned", listing::answers_owned),
    ("channels/name_drop", channel_names::answers_name_drop),
    ("channels/name_read", channel_names::answers_name_read),
    ("channels/name_take", channel_names::answers_name_take),
    ("channels/create", channels::answers_create),
    ("channels/delete", channels::answers_delete),
    ("channels/end_after", channels::answers_end_after),
    ("channels/expire", channels_expire::answers),
    ("channels/full", quotas_of_keys::answers_full),
    ("channels/read", channels::answers_read),
    ("channels/survey", channels_survey::answers),
    ("channels/update", channels::answers_update),
    ("claims/ack", claims_ack::answers),
    ("claims/ack_with_result", claims_ack_with_result::answers),
    ("claims/claim", claims_claim::answers),
    ("claims/claim_and_ack", claims_claim_and_ack::answers),
    ("claims/give_back", claims_give_back::answers),
    ("claims/heartbeat", claims_heartbeat::answers),
    ("claims/next", claims_next::answers),
    ("claims/release", claims_release::answers),
    ("doctor/rights", doctor::answers_rights),
    ("duty/file", duty::answers_file),
    ("duty/findings", duty::answers_findings),
    ("duty/take", duty::answers_take),
    ("events/list", events::answers),
    ("hooks/dead", hooks::answers_dead),
    ("hooks/delivered", hooks::answers_delivered),
    ("hooks/deliveries", hooks::answers_deliveries),
    ("hooks/one", hooks::answers_one),
    ("hooks/record", hooks::answers_record),
    ("hooks/redriven", hooks::answers_redriven),
    ("invitations/create", invitations::answers_create),
    ("invitations/find", invitations::answers_find),
    ("invitations/gate", invitations::answers_gate),
    ("invitations/resolve", invitations::answers_resolve),
    ("invitations/revoke", invitations::answers_revoke),
    ("invitations/route", invitations::answers_route),
    ("jobs/adopt", jobs::answers_adopt),
    ("jobs/done", jobs::answers_done),
    ("jobs/due", jobs::answers_due),
    ("jobs/enter", jobs::answers_enter),
    ("jobs/forget", jobs::answers_forget),
    ("jobs/gauge", jobs::answers_gauge),
    ("jobs/group", jobs::answers_group),
    ("jobs/put", jobs::answers_put),
    ("jobs/redrive", jobs::answers_redrive),
    ("jobs/settle", jobs::answers_settle),
    ("members/add", members::answers_add),
    ("members/check", members::answers_check),
    ("members/list", members::answers_list),
    ("members/remove", members::answers_remove),
    ("messages/history", messages_history::answers),
    ("messages/lift", messages_lift::answers),
    ("messages/list", messages_list::answers),
    ("messages/list_claimed", messages_list_claimed::answers),
    ("messages/list_unclaimed", messages_list_unclaimed::answers),
    ("messages/post", messages_post::answers),
    ("messages/receipt", messages_receipt::answers),
    ("messages/retract", messages_retract::answers),
    ("messages/watch", messages_receipt::answers_watch),
    ("replication/mark", replication::answers_mark),
    ("rooms/admit", rooms_counts::answers_admit),
    ("rooms/admit_room", rooms_counts::answers_admit_room),
    ("rooms/counts", rooms_counts::answers_counts),
    ("rooms/create", rooms::answers_create),
    ("rooms/due", rooms_counts::answers_due),
    ("rooms/file", rooms_counts::answers_file),
    ("rooms/hold", rooms_counts::answers_hold),
    ("rooms/join", rooms::answers_join),
    ("rooms/leave", rooms::answers_leave),
    ("rooms/poll", rooms::answers_poll),
    ("rooms/register", rooms_counts::answers_register),
    ("rooms/release", rooms_counts::answers_release),
    ("rooms/send", rooms::answers_send),
    ("rooms/survey", rooms::answers_survey),
    ("sandbox/channel", sandbox::answers_channel),
    ("sandbox/owner", sandbox::answers_owner),
    ("sandbox/turn", sandbox::answers_turn),
    ("sessions/create", sessions::answers_create),
    ("sessions/delete", sessions::answers_delete),
    ("sessions/list", sessions::answers_list),
    ("sessions/read", sessions::answers_read),
    ("sessions/update", sessions::answers_update),
    ("tasks/origin", tasks::answers_origin),
    ("usage/add", usage::answers_add),
    ("usage/channel", usage::answers_channel),
    ("usage/channel_add", channel_metrics::answers_add),
    ("usage/channel_metrics", channel_metrics::answers),
    ("usage/holdings", quotas_of_keys::answers_holdings),
    ("usage/leases", quotas_of_keys::answers_leases),
    ("usage/overview", usage::answers_overview),
    ("webhooks/actor_hook", pushing::answers_actor_hook),
    ("webhooks/disable", pushing::answers_disable),
    ("webhooks/disable_actor", pushing::answers_disable_actor),
    ("webhooks/key_is_active", pushing::answers_key_is_active),
    ("webhooks/load", pushing::answers_load),
    ("webhooks/outbox_done", pushing::answers_outbox_done),
    ("webhooks/outbox_read", pushing::answers_outbox_read),
    ("webhooks/owner", pushing::answers_owner),
    ("webhooks/push_once", pushing::answers_push_once),
    ("webhooks/sweep_leave", pushing::answers_sweep_leave),
    ("webhooks/sweep_page", pushing::answers_sweep_page),
    ("webhooks/index_drop", webhooks::answers_index_drop),
    ("webhooks/index_enter", webhooks::answers_index_enter),
];

#[test]
fn every_script_gives_every_answer_of_its_header_and_no_other() {
    let right = |(name, answers): &&(&str, Answers)| catch_unwind(|| gives_every_answer(name, *answers)).is_ok();
    let wrong: Vec<&str> = ANSWERS.iter().filter(|row| !right(row)).map(|(name, _)| *name).collect();
    assert!(wrong.is_empty(), "{wrong:?}: see above");
}

fn gives_every_answer(name: &str, answers: Answers) {
    let (_, parsed) = script(name);
    let oks = parsed.oks().iter().map(|word| format!("ok {word}"));
    let refusals = parsed.refusals().iter().map(|code| format!("no {}", code.spec().word));
    let declared: BTreeSet<String> = oks.chain(refusals).collect();
    on_both(|bench| {
        answers(bench);
        assert_eq!(bench.heard(name), declared, "lua/{name}.lua: left, what its tests met; right, what its header says");
    });
}

#[test]
fn every_script_is_tested() {
    let tested: BTreeSet<&str> = ANSWERS.iter().map(|(name, _)| *name).collect();
    let all: BTreeSet<&str> = ALL.iter().map(|script| script.name()).collect();
    assert_eq!(tested, all);
}
