//! The page about the keys.

use std::fmt::Write;

use super::tables::{ADDRESS, ALIAS, CHANNEL, DISCOVERABLE, DUTY, FLEET, HOOK, INVITATION, JOBS, KEY, MINT, OUTBOXES, ROOM, ROOMS};

/// `docs/keyspace.md`, written from the tables.
pub fn keyspace_md() -> String {
    let mut page = String::from(
        "# Keys in Redis\n\n\
         Every key this service writes. `bc:` stands for BACKCHANNEL_KEY_PREFIX; what is in braces chooses the slot, so all keys of one table that\n\
         share it lie on one node of a cluster. Every key has an owner that ends it, or an expiry. This page is written by\n\
         `backchannel print keyspace` from the table that scripts are called with.\n",
    );
    let slots = [
        ("A channel", "ch_…", CHANNEL),
        ("An API key, its label and its actors", "bck_…", KEY),
        ("Minting and the audit of the instance", "mint", MINT),
        ("What replicas tell each other", "fleet", FLEET),
        ("A global alias of a channel", "alias:…", ALIAS),
        ("A global alias of an actor", "actor-alias:…", ALIAS),
        ("An invitation", "inv_…", INVITATION),
        ("A client address", "address:…", ADDRESS),
        ("An encrypted room", "room:…", ROOM),
        ("Counts of all rooms", "rooms", ROOMS),
        ("The list of channels that can be found", "discoverable", DISCOVERABLE),
        ("A part of the index of outboxes (0 to 15)", "outboxes:…", OUTBOXES),
        ("A queue of webhook deliveries (0 to 7)", "jobs:…", JOBS),
        ("Deliveries to the webhook of a channel or an actor", "hook:…", HOOK),
        ("The fleet's background work", "duty", DUTY),
    ];
    for (title, tag, table) in slots {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {title}\n\n| key | type | life | holds |\n| --- | --- | --- | --- |\n");
        for def in table {
            let parameter = if def.suffix.ends_with(':') { "…" } else { "" };
            let _ = writeln!(page, "| `bc:{{{tag}}}:{}{parameter}` | {} | {} | {} |", def.suffix, def.kind, def.life, def.holds);
        }
    }
    page + "\nOne topic more, in no table: `bc:{fleet}:keys-changed`, on which replicas tell each other which API keys changed.\n"
}
