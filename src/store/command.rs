//! A call of a script as Redis gets it.

use std::borrow::Cow;
use std::io::Write;

use deadpool_redis::redis::{Cmd, RedisWrite};

/// Room for the words before the keys: EVALSHA and a hash.
const HEAD_BYTES: usize = 64;
/// Room for one key.
const KEY_BYTES: usize = 48;

/// EVAL or EVALSHA of a text or its hash; keys in the parts that their names are made of.
pub fn command<'a>(
    name: &str,
    script: &str,
    keys: impl ExactSizeIterator<Item = [&'a str; 3]>,
    args: &[&[u8]],
    rest: &[Cow<'_, [u8]>],
) -> Cmd {
    let given: usize = args.iter().map(|a| a.len()).chain(rest.iter().map(|r| r.len())).sum();
    let room = HEAD_BYTES.max(script.len() + name.len()) + keys.len() * KEY_BYTES + given;
    let mut command = Cmd::with_capacity(3 + keys.len() + args.len() + rest.len(), room);
    command.arg(name).arg(script).arg(keys.len());
    for parts in keys {
        let mut key = command.writer_for_next_arg();
        for part in parts {
            let _ = key.write_all(part.as_bytes()); // into memory: cannot fail
        }
    }
    for arg in args {
        command.arg(*arg);
    }
    for arg in rest {
        command.arg(arg.as_ref());
    }
    command
}
