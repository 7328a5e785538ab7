//! One file a script: state in, call, reply and the whole keyspace of the slot out.
