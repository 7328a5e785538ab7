//! What a queue holds: deliveries, in names and numbers. Content, URL and secret are read when they are tried.

use deadpool_redis::redis::Value;

use crate::ids::{ActorId, ChannelId, Micros, suffix};
use crate::messages::SEPARATOR;
use crate::store::keyspace::JOB_QUEUES;
use crate::store::reply::text_of;

/// Jobs of one webhook that were handed over together are one entry of the queue, so many at most: what Redis does of an entry it does once for all of
/// them. They leave the queue together, when the last one has ended, so no more of them are repeated when a worker dies.
pub const BUNDLE: usize = 8;
/// Stands between jobs of one entry.
pub const BUNDLED: char = '\u{1e}';

/// What a webhook is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    MessageCreated,
    MemberAdded,
    Mention,
    /// Somebody tries out the webhook.
    Test,
}

impl Event {
    pub const fn word(self) -> &'static str {
        match self {
            Self::MessageCreated => "message.created",
            Self::MemberAdded => "member_added",
            Self::Mention => "mention",
            Self::Test => "webhook.test",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::MessageCreated, Self::MemberAdded, Self::Mention, Self::Test].into_iter().find(|event| event.word() == word)
    }
}

/// Whose webhook it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Channel(ChannelId),
    Actor(ActorId),
}

impl Target {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Channel(id) => id.as_str(),
            Self::Actor(id) => id.as_str(),
        }
    }
}

/// One delivery and how often it was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// `dlv_` and letters: the same for every try and replay.
    pub delivery: String,
    pub event: Event,
    pub target: Target,
    /// Where it happened; none for a test of an actor's webhook.
    pub channel: Option<ChannelId>,
    /// The message; none where it is about none.
    pub number: Option<Micros>,
    /// What else the event is about: for `member_added` the member and who let it in.
    pub subject: String,
    /// The try that comes next, from 1.
    pub attempt: u32,
    /// When the first try could be made, by Redis' clock.
    pub since: Micros,
}

impl Job {
    /// Of an entry of a channel's outbox: `[id, ["e", event \31 number \31 actor \31 subject]]`. None when it is none that this release knows.
    pub fn of_outbox(channel: &ChannelId, entry: &Value) -> Option<(String, Self)> {
        let Value::Array(parts) = entry else { return None };
        let [id, Value::Array(fields)] = parts.as_slice() else { return None };
        let (id, told) = (text_of(id)?, text_of(fields.get(1)?)?);
        let mut told = told.splitn(4, SEPARATOR); // the subject is the last one: it has separators of its own
        let event = Event::parse(told.next()?)?;
        let (number, actor, subject) = (told.next()?, told.next()?, told.next()?);
        let target = match event {
            Event::Mention => Target::Actor(ActorId::parse(actor)?),
            _ => Target::Channel(channel.clone()),
        };
        let job = Self {
            delivery: format!("dlv_{}_{id}", &channel.as_str()[3..]),
            event,
            target,
            channel: Some(channel.clone()),
            number: Some(number).filter(|n| !n.is_empty()).map(|n| n.parse().map(Micros)).transpose().ok()?,
            subject: subject.to_owned(),
            attempt: 1,
            since: Micros(id.split('-').next()?.parse::<u64>().ok()? * 1000),
        };
        Some((id, job))
    }

    /// A try-out of a webhook.
    pub fn test(target: Target, now: Micros) -> Self {
        let channel = match &target {
            Target::Channel(id) => Some(id.clone()),
            Target::Actor(_) => None,
        };
        let delivery = format!("dlv_{}{}", suffix(), suffix());
        Self { delivery, event: Event::Test, target, channel, number: None, subject: String::new(), attempt: 1, since: now }
    }

    /// The same delivery from its first try on.
    pub fn again(self, now: Micros) -> Self {
        Self { attempt: 1, since: now, ..self }
    }

    /// The stored form.
    pub fn pack(&self) -> String {
        let mut text = String::new();
        self.pack_behind(&mut text);
        text
    }

    /// The stored form, behind what the text says already.
    pub fn pack_behind(&self, text: &mut String) {
        let channel = self.channel.as_ref().map_or("", ChannelId::as_str);
        text.reserve(self.delivery.len() + self.subject.len() + 2 * channel.len() + 80);
        text.push_str(&self.delivery);
        for part in [self.event.word(), self.target.as_str(), channel] {
            text.push(SEPARATOR);
            text.push_str(part);
        }
        text.push(SEPARATOR);
        if let Some(number) = self.number {
            push_number(number.0, text);
        }
        for number in [self.attempt.into(), self.since.0] {
            text.push(SEPARATOR);
            push_number(number, text);
        }
        // The subject is the last one: it has separators of its own.
        text.push(SEPARATOR);
        text.push_str(&self.subject);
    }

    /// None when it is none that this release knows.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(8, SEPARATOR);
        let (delivery, event) = (parts.next()?.to_owned(), Event::parse(parts.next()?)?);
        let target = parts.next()?;
        let target = match ChannelId::parse(target) {
            Some(id) => Target::Channel(id),
            None => Target::Actor(ActorId::parse(target)?),
        };
        let channel = match parts.next()? {
            "" => None,
            id => Some(ChannelId::parse(id)?),
        };
        let number = match parts.next()? {
            "" => None,
            n => Some(Micros(n.parse().ok()?)),
        };
        let (attempt, since) = (parts.next()?.parse().ok()?, Micros(parts.next()?.parse().ok()?));
        Some(Self { delivery, event, target, channel, number, subject: parts.next()?.to_owned(), attempt, since })
    }
}

/// Appends a number, without the formatter, which costs more than all the rest of a job.
pub fn push_number(mut number: u64, text: &mut String) {
    let mut digits = [b'0'; 20];
    let mut begin = digits.len();
    loop {
        begin -= 1;
        digits[begin] += (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.extend(digits[begin..].iter().copied().map(char::from));
}

/// The queue of whatever this id stands for.
pub fn queue_of(id: &str) -> u8 {
    id.bytes().fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % JOB_QUEUES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(told: &[&str]) -> Value {
        let text = |t: &str| Value::BulkString(t.as_bytes().to_vec());
        Value::Array(vec![text("1760000000123-4"), Value::Array(vec![text("e"), text(&told.join("\u{1f}"))])])
    }

    #[test]
    fn a_job_is_the_same_after_it_was_stored() {
        let channel = ChannelId::parse("ch_aaaaaaaaaaaaaaaaaaaa").expect("an id");
        let actor = "act_ooooooooooooooooaaaaaaaaaa";
        for fields in [
            ["message.created", "1760000000123456", "", ""],
            ["mention", "1760000000123456", actor, ""],
            ["member_added", "", "", "bck_a\u{1f}bck_b"],
        ] {
            let (id, job) = Job::of_outbox(&channel, &entry(&fields)).expect("a job");
            assert_eq!((id.as_str(), job.delivery.as_str()), ("1760000000123-4", "dlv_aaaaaaaaaaaaaaaaaaaa_1760000000123-4"));
            assert_eq!(job.since, Micros(1_760_000_000_123_000));
            assert_eq!(Job::parse(&job.pack()), Some(job));
        }
        let test = Job::test(Target::Actor(ActorId::parse(actor).expect("an id")), Micros(7));
        assert_eq!(Job::parse(&test.pack()), Some(test));
        assert_eq!(Job::of_outbox(&channel, &entry(&["of a later release", "", "", ""])), None);
    }

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 7, 10, 1_760_000_000_123_456, u64::MAX] {
            let mut text = "n".to_owned();
            push_number(number, &mut text);
            assert_eq!(text, format!("n{number}"));
        }
    }

    #[test]
    fn channels_go_to_all_queues() {
        let used: std::collections::BTreeSet<u8> = (0..200).map(|_| queue_of(ChannelId::generate().as_str())).collect();
        assert_eq!(used.len(), usize::from(JOB_QUEUES));
    }
}
