//! Cursor readers under concurrent writers: no loss, no repeat.
