//! One file an operation, named like its URL: `api/channels/messages/post.rs`.
