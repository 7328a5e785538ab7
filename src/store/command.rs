//! A call of a script as Redis gets it.

use std::borrow::Cow;

use deadpool_redis::redis::Cmd;

/// The names of a call's keys, one after the other in one text, with where each ends.
pub struct Keys {
    pub text: String,
    pub ends: Vec<usize>,
}

/// EVAL or EVALSHA of a text or its hash.
pub fn command(name: &str, script: &str, keys: &Keys, args: &[&[u8]], rest: &[Cow<'_, [u8]>]) -> Cmd {
    let given: usize = args.iter().map(|a| a.len()).chain(rest.iter().map(|r| r.len())).sum();
    let mut command = Cmd::with_capacity(3 + keys.ends.len() + args.len() + rest.len(), script.len() + keys.text.len() + given + 16);
    command.arg(name).arg(script).arg(keys.ends.len());
    let mut begin = 0;
    for &end in &keys.ends {
        command.arg(&keys.text[begin..end]);
        begin = end;
    }
    for arg in args {
        command.arg(*arg);
    }
    for arg in rest {
        command.arg(arg.as_ref());
    }
    command
}
