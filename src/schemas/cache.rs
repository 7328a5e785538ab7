//! The schemas that a replica has compiled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use moka::sync::Cache;

use super::Schema;
use crate::error::{ApiError, Result};
use crate::ids::ChannelId;

/// Channels whose schema is remembered; a post to another one that has a schema takes a second trip.
const CHANNELS: u64 = 10_000;
/// About how many bytes compiled schemas may take.
const BYTES: u64 = 128 * 1024 * 1024;

/// Which schema a channel had when this replica last heard, and what it compiles to. Nothing here decides: the script that posts compares
/// the fingerprint.
pub struct SchemaCache {
    /// Whether it ever heard of one: where no channel has a schema, a post does not look for it.
    has_any: AtomicBool,
    of_channel: Cache<ChannelId, Arc<str>>,
    compiled: Cache<Arc<str>, Arc<Schema>>,
}

impl Default for SchemaCache {
    fn default() -> Self {
        Self::new()
    }
}

impl SchemaCache {
    pub fn new() -> Self {
        let bytes = |_: &Arc<str>, schema: &Arc<Schema>| u32::try_from(schema.bytes).unwrap_or(u32::MAX);
        Self {
            has_any: AtomicBool::new(false),
            of_channel: Cache::builder().max_capacity(CHANNELS).build(),
            compiled: Cache::builder().max_capacity(BYTES).weigher(bytes).build(),
        }
    }

    /// The schema that a channel had a moment ago, as far as is known.
    pub fn of(&self, channel: &ChannelId) -> Option<Arc<Schema>> {
        if !self.has_any.load(Relaxed) {
            return None;
        }
        self.compiled.get(&self.of_channel.get(channel)?)
    }

    /// Takes in what the store says is the schema of a channel now.
    ///
    /// # Errors
    /// A fault, when a schema was stored that cannot be used.
    pub fn learn(&self, channel: &ChannelId, fingerprint: &str, text: &str) -> Result<Arc<Schema>> {
        let unfit = |why: &str| ApiError::internal(format!("the schema of {} cannot be used: {why}", channel.as_str()));
        let schema = match self.compiled.get(fingerprint) {
            Some(known) => known,
            None => Arc::new(Schema::compile(text).map_err(|why| unfit(&why))?.ok_or_else(|| unfit("it rejects nothing"))?),
        };
        let fingerprint: Arc<str> = fingerprint.into();
        self.compiled.insert(fingerprint.clone(), schema.clone());
        self.of_channel.insert(channel.clone(), fingerprint);
        self.has_any.store(true, Relaxed);
        Ok(schema)
    }
}
