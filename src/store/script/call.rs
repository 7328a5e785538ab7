//! A call of a script: keys and arguments by name, one command, the answer or the refusal.

use std::borrow::Cow;
use std::cell::Cell;
use std::time::Instant;

use deadpool_redis::redis::{Cmd, Value};

use super::{Given, IDEM_MS, Parsed, Script, Sent};
use crate::error::ApiError;
use crate::store::Slot;
use crate::store::command::command;
use crate::store::keyspace::KeyDef;
use crate::store::redis::{Failure, Redis};
use crate::store::reply::Reply;
use crate::telemetry::{self, ScriptSpan};

/// A call being put together: keys by slot, arguments by name.
pub struct Call<'a> {
    script: &'static Script,
    slot: &'a Slot,
    parameters: Vec<(&'static str, Cow<'a, str>)>,
    args: Vec<(&'static str, Given<'a>)>,
    rest: Vec<Cow<'a, [u8]>>,
    may_send_again: bool,
    client_may_repeat: bool,
    noting: bool,
}

impl<'a> Call<'a> {
    pub(super) fn new(script: &'static Script, slot: &'a Slot) -> Self {
        let args = script.parsed().map_or(0, |parsed| parsed.args.names().len());
        Self {
            script,
            slot,
            parameters: Vec::new(),
            args: Vec::with_capacity(args),
            rest: Vec::new(),
            may_send_again: false,
            client_may_repeat: false,
            noting: false,
        }
    }

    /// The parameter of a key whose form takes one.
    pub fn key(mut self, name: &'static str, parameter: impl Into<Cow<'a, str>>) -> Self {
        self.parameters.push((name, parameter.into()));
        self
    }

    /// A text argument.
    pub fn arg(mut self, name: &'static str, value: &'a str) -> Self {
        self.args.push((name, Given::Text(Cow::Borrowed(value.as_bytes()))));
        self
    }

    /// A whole number as argument.
    pub fn int(mut self, name: &'static str, value: u64) -> Self {
        self.args.push((name, Given::Number(value)));
        self
    }

    /// Further arguments, after the named ones.
    pub fn rest(mut self, values: impl IntoIterator<Item = String>) -> Self {
        self.rest.extend(values.into_iter().map(|v| Cow::Owned(v.into_bytes())));
        self
    }

    /// Further arguments that stay with the caller, who may have to give them again.
    pub fn rest_of(mut self, values: &'a [String]) -> Self {
        self.rest.extend(values.iter().map(|v| Cow::Borrowed(v.as_bytes())));
        self
    }

    /// Says that doing this twice does no more than once, so that a lost answer may be asked for again: by the replica, and by its client.
    pub fn may_send_again(mut self, yes: bool) -> Self {
        (self.may_send_again, self.client_may_repeat) = (yes, yes);
        self
    }

    /// Says that the replica may ask again for a lost answer, since it offers the same secret; its client cannot, and is told that the
    /// outcome is unknown.
    pub fn only_the_replica_may_send_again(mut self) -> Self {
        self.may_send_again = true;
        self
    }

    /// Says that [`Redis::confirm`] will be asked about the answer.
    pub fn to_be_confirmed(mut self) -> Self {
        self.noting = true;
        self
    }

    /// [`Call::run`], and then waits for the replicas that the operator asks for.
    ///
    /// # Errors
    /// As there; `not_replicated`.
    pub async fn run_confirmed(self, redis: &Redis) -> Result<Reply, ApiError> {
        let slot = self.slot;
        let reply = self.to_be_confirmed().run(redis).await?;
        redis.confirm(slot, &reply).await?;
        Ok(reply)
    }

    /// Runs the script; a refusal comes back as its error.
    ///
    /// # Errors
    /// The script's refusal; a 503 when Redis is in trouble; a fault when script and caller do not fit.
    pub async fn run(self, redis: &Redis) -> Result<Reply, ApiError> {
        let parsed = self.script.parsed()?;
        let (keys, sent) = (self.keys(parsed)?, self.args(parsed)?);
        let args = sent.in_order();
        let command = |name, script| command(name, script, keys.iter().copied(), &args, &self.rest);
        let span = if telemetry::is_on() { ScriptSpan::begin(self.script.name) } else { None };
        let began = Instant::now();
        let by_hash = command("EVALSHA", &parsed.sha);
        let mut answer = self.send(redis, &by_hash).await;
        if matches!(answer, Err(Failure::NoScript)) {
            // The text goes to the same node and stays there; nothing ran yet.
            answer = self.send(redis, &command("EVAL", &parsed.text)).await;
        }
        // Only a connection that broke at once leaves time for a second try: no request waits longer than one command may take.
        if self.may_send_again && matches!(answer, Err(Failure::Unknown(_))) && began.elapsed() < redis.timeout() / 4 {
            answer = self.send(redis, &command("EVAL", &parsed.text)).await;
        }
        parsed.duration.observe(began.elapsed().as_secs_f64());
        if let (Some(span), Err(failure)) = (&span, &answer) {
            span.failed(failure.class());
        }
        match answer {
            Ok((value, history)) => Ok(self.decode(parsed, redis, value)?.in_history(history)),
            Err(Failure::Fault(text)) => Err(ApiError::internal(parsed.locate(&text))),
            Err(failure) => Err(failure.into_api_error(self.client_may_repeat)),
        }
    }

    async fn send(&self, redis: &Redis, command: &Cmd) -> Result<(Value, Option<String>), Failure> {
        if self.noting { redis.send_noting(command).await } else { redis.send(command).await.map(|answer| (answer, None)) }
    }

    fn decode(&self, parsed: &Parsed, redis: &Redis, value: Value) -> Result<Reply, ApiError> {
        let first_word = parsed.oks.first().map_or("", String::as_str);
        let reply = Reply::decode(self.script.name, first_word, value)?;
        redis.clock().observe(reply.now());
        if reply.status() != "refused" {
            return if parsed.oks.iter().any(|w| w == reply.status()) { Ok(reply) } else { Err(reply.unexpected()) };
        }
        let word = reply.text(0)?;
        let code = parsed.refusals.iter().copied().find(|c| c.spec().word == word);
        let mut error =
            ApiError::new(code.ok_or_else(|| ApiError::internal(format!("lua/{}.lua: undeclared refusal {word}", self.script.name)))?);
        // Details follow as name, value; a name that ends in # marks a number, in a comma a list joined by commas.
        for i in (1..reply.len()).step_by(2) {
            let name = reply.text(i)?;
            if let Some(list) = name.strip_suffix(',') {
                let words: Vec<String> = reply.text(i + 1)?.split(',').filter(|w| !w.is_empty()).map(str::to_owned).collect();
                error = error.with(list, words);
                continue;
            }
            error = match name.strip_suffix('#') {
                Some("retry_after_ms") => error.retry_after(reply.uint(i + 1)?.div_ceil(1000)),
                Some(number) => error.with(number, reply.int(i + 1)?),
                None => error.with(&name, reply.text(i + 1)?),
            };
        }
        Err(error)
    }

    /// The names of the keys, each in the parts that it is made of.
    fn keys<'s>(&'s self, parsed: &Parsed) -> Result<Vec<[&'s str; 3]>, ApiError> {
        let wrong = |name: &str| ApiError::internal(format!("lua/{}.lua: key {name} cannot be named", self.script.name));
        if let Some((unknown, _)) = self.parameters.iter().find(|(n, _)| !parsed.keys.iter().rev().any(|k| k.name == *n)) {
            return Err(wrong(unknown));
        }
        let named = |key: &'static KeyDef| {
            let parameter = self.parameters.iter().find(|(n, _)| *n == key.name).map(|(_, p)| p.as_ref());
            self.slot.parts_of(key, parameter).ok_or_else(|| wrong(key.name))
        };
        parsed.keys_sent(self.is_kept()).iter().copied().map(named).collect()
    }

    /// Whether the first answer is kept for those who ask again.
    fn is_kept(&self) -> bool {
        self.args.iter().rev().any(|(name, given)| *name == IDEM_MS && !matches!(given, Given::Number(0)))
    }

    /// The arguments in the order of the header, in which most calls give them.
    fn args<'s>(&'s self, parsed: &Parsed) -> Result<Sent<'s>, ApiError> {
        let wrong = |what: String| ApiError::internal(format!("lua/{}.lua: {what}", self.script.name));
        if self.args.len() != parsed.args.names().len() || (!parsed.rest && !self.rest.is_empty()) {
            let given = self.args.iter().map(|a| a.0).collect::<Vec<_>>();
            return Err(wrong(format!("takes {:?}, was given {given:?}", parsed.args.names())));
        }
        let place = Cell::new(0);
        let given = |name: &str| {
            let i = place.get();
            let found = self.args[i..].iter().chain(&self.args[..i]).find(|(n, _)| *n == name);
            place.set((i + 1).min(self.args.len()));
            found.map(|(_, given)| given)
        };
        parsed.args.send(given, self.is_kept()).map_err(|name| wrong(format!("argument {name} is missing, or not a number")))
    }
}
