//! Numbers, times and switches.

use std::marker::PhantomData;
use std::time::Duration;

use super::{Described, Kind, Reason, by_rule, parts};

/// A whole number from `min` to `max`, both allowed.
pub struct Whole<T> {
    min: u64,
    max: u64,
    zero: Option<&'static str>,
    into: PhantomData<fn() -> T>,
}

impl<T> Whole<T> {
    pub const fn new(min: u64, max: u64) -> Self {
        Self { min, max, zero: None, into: PhantomData }
    }

    /// From 0 to `max`, where 0 means `zero`.
    pub const fn or_zero(max: u64, zero: &'static str) -> Self {
        Self { min: 0, max, zero: Some(zero), into: PhantomData }
    }
}

impl<T> Described for Whole<T> {
    fn allowed(&self) -> String {
        let zero = self.zero.map(|means| format!(" (0: {means})")).unwrap_or_default();
        format!("a whole number from {} to {}{zero}", self.min, self.max)
    }
}

impl<T: TryFrom<u64>> Kind for Whole<T> {
    type Value = T;

    fn parse(&self, text: &str) -> Result<T, Reason> {
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return by_rule();
        }
        match text.parse::<u64>() {
            Ok(n) if (self.min..=self.max).contains(&n) => T::try_from(n).or_else(|_| by_rule()),
            _ => by_rule(),
        }
    }
}

/// A length of time from `min` to `max` seconds, fractions allowed.
pub struct Seconds {
    pub min: u32,
    pub max: u32,
}

impl Described for Seconds {
    fn allowed(&self) -> String {
        format!("a number of seconds from {} to {}, fractions allowed", self.min, self.max)
    }
}

impl Kind for Seconds {
    type Value = Duration;

    fn parse(&self, text: &str) -> Result<Duration, Reason> {
        // f64's own parser would also take "inf", "nan" and "1e9".
        if !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return by_rule();
        }
        match text.parse::<f64>() {
            Ok(s) if s >= f64::from(self.min) && s <= f64::from(self.max) => Ok(Duration::from_secs_f64(s)),
            _ => by_rule(),
        }
    }
}

/// One to twenty lengths of time, comma separated, each from 0 to 7 days.
pub struct SecondsList;

impl Described for SecondsList {
    fn allowed(&self) -> String {
        "1 to 20 numbers of seconds separated by commas, each from 0 to 604800".to_owned()
    }
}

impl Kind for SecondsList {
    type Value = Vec<Duration>;

    fn parse(&self, text: &str) -> Result<Vec<Duration>, Reason> {
        let all = parts(text).map(|part| Seconds { min: 0, max: 604_800 }.parse(part)).collect::<Result<Vec<_>, _>>()?;
        if (1..=20).contains(&all.len()) { Ok(all) } else { by_rule() }
    }
}

/// A length of time from `min` to `max` whole milliseconds.
pub struct Millis {
    pub min: u32,
    pub max: u32,
}

impl Described for Millis {
    fn allowed(&self) -> String {
        format!("a whole number of milliseconds from {} to {}", self.min, self.max)
    }
}

impl Kind for Millis {
    type Value = Duration;

    fn parse(&self, text: &str) -> Result<Duration, Reason> {
        Whole::<u64>::new(self.min.into(), self.max.into()).parse(text).map(Duration::from_millis)
    }
}

/// Yes or no.
pub struct Switch;

impl Described for Switch {
    fn allowed(&self) -> String {
        "true or false".to_owned()
    }
}

impl Kind for Switch {
    type Value = bool;

    fn parse(&self, text: &str) -> Result<bool, Reason> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => by_rule(),
        }
    }
}
