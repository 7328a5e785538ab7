//! What a script alone answered ([`super::script`]): asserted word by word, read value by value.

use backchannel::claims::record::ClaimRecord;
use backchannel::store::packed::unpack;
use backchannel::store::reply::text_of;
use deadpool_redis::redis::Value;

use super::script::script;

/// What a script answered, and the keyspace before and after.
#[derive(Debug)]
pub struct Answer {
    name: &'static str,
    pub word: String,
    pub(super) refused: bool,
    pub(super) now: u64,
    values: Vec<Value>,
    /// Hints that were published, in order.
    pub wakes: Vec<String>,
    pub before: String,
    pub after: String,
}

impl Answer {
    pub(super) fn read(name: &'static str, said: Value, before: String, after: String) -> Self {
        let Value::Array(parts) = said else { panic!("{name} answered {said:?}") };
        let [reply, Value::Array(wakes)] = parts.as_slice() else { panic!("{name} answered {parts:?}") };
        let first_word = script(name).1.oks().first().map_or("", String::as_str);
        let reply = if let Value::BulkString(packed) = reply { unpack(first_word, packed) } else { Some(reply.clone()) };
        let Some(Value::Array(reply)) = reply else { panic!("{name} answered {parts:?}") };
        let text = |i: usize| reply.get(i).and_then(text_of).unwrap_or_else(|| panic!("{name} answered {reply:?}"));
        let refused = text(0) == "refused";
        let (word, from) = if refused { (text(2), 3) } else { (text(0), 2) };
        let wakes = wakes.iter().filter_map(text_of).collect();
        Self { name, word, refused, now: text(1).parse().expect("a time"), values: reply[from..].to_vec(), wakes, before, after }
    }

    /// The same; fails the test when it is another answer.
    #[track_caller]
    pub fn ok(self, word: &str) -> Self {
        assert!(!self.refused && self.word == word, "{}: expected {word}, got {} {:?}", self.name, self.heard_as(), self.values);
        self
    }

    /// The same; fails the test when it is no refusal with this code.
    #[track_caller]
    pub fn no(self, code: &str) -> Self {
        assert!(self.refused && self.word == code, "{}: expected the refusal {code}, got {} {:?}", self.name, self.heard_as(), self.values);
        self
    }

    /// The same; fails the test when the call changed a key or woke somebody.
    #[track_caller]
    pub fn wrote_nothing(self) -> Self {
        assert!(self.before == self.after, "{}: {} wrote:\n{}", self.name, self.word, self.diff());
        assert!(self.wakes.is_empty(), "{}: {} woke {:?}", self.name, self.word, self.wakes);
        self
    }

    #[track_caller]
    pub fn woke(self, expected: &[&str]) -> Self {
        assert_eq!(self.wakes, expected, "{}: {}", self.name, self.word);
        self
    }

    pub(super) fn heard_as(&self) -> String {
        format!("{} {}", if self.refused { "no" } else { "ok" }, self.word)
    }

    pub(super) fn diff(&self) -> String {
        format!("--- before\n{}--- after\n{}", self.before, self.after)
    }

    #[track_caller]
    pub fn text(&self, i: usize) -> String {
        self.values.get(i).and_then(text_of).unwrap_or_else(|| panic!("{}: value {i} of {:?} is no text", self.name, self.values))
    }

    #[track_caller]
    pub fn int(&self, i: usize) -> u64 {
        self.text(i).parse().unwrap_or_else(|_| panic!("{}: value {i} of {:?} is no number", self.name, self.values))
    }

    /// These values as numbers.
    #[track_caller]
    pub fn ints(&self, range: std::ops::Range<usize>) -> Vec<u64> {
        range.map(|i| self.int(i)).collect()
    }

    /// How many values follow word and time.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Value `i` as a list.
    #[track_caller]
    pub fn list(&self, i: usize) -> &[Value] {
        let Some(Value::Array(list)) = self.values.get(i) else { panic!("{}: value {i} of {:?} is no list", self.name, self.values) };
        list
    }

    /// Value `i` as a list of texts.
    #[track_caller]
    pub fn texts(&self, i: usize) -> Vec<String> {
        self.list(i).iter().map(|v| text_of(v).expect("a text")).collect()
    }

    /// Value `i` as stream entries: their numbers.
    #[track_caller]
    pub fn numbers(&self, i: usize) -> Vec<u64> {
        self.list(i).iter().map(number_of).collect()
    }

    /// Value `i` as a claim record.
    #[track_caller]
    pub fn record(&self, i: usize) -> ClaimRecord {
        ClaimRecord::parse(&self.text(i)).unwrap_or_else(|| panic!("{}: {:?} is no record", self.name, self.text(i)))
    }

    /// A detail of a refusal, by its name.
    #[track_caller]
    pub fn detail(&self, name: &str) -> String {
        let at = (0..self.len()).step_by(2).find(|&i| self.text(i) == name);
        self.text(at.unwrap_or_else(|| panic!("{}: {} has no {name}: {:?}", self.name, self.word, self.values)) + 1)
    }
}

/// The number of a stream entry: its id is `<number>-0`.
pub fn number_of(entry: &Value) -> u64 {
    let Value::Array(parts) = entry else { panic!("no entry: {entry:?}") };
    let id = text_of(&parts[0]).expect("an id");
    id.strip_suffix("-0").expect("a stream id of ours").parse().expect("a number")
}
