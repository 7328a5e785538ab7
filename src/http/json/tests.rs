use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use serde_json::value::RawValue;

use super::*;

fn written(value: &impl Serialize) -> String {
    let mut out = b"> ".to_vec();
    write(&mut out, value).expect("it can be written");
    String::from_utf8(out).expect("UTF-8")
}

#[derive(Serialize)]
enum Kind {
    Unit,
    One(u8),
    Two(u8, &'static str),
    Named { a: Option<i64>, b: f64 },
}

#[derive(Serialize)]
struct Of<'a> {
    text: &'a str,
    raw: Box<RawValue>,
    kinds: [Kind; 4],
    none: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<u8>,
    #[serde(flatten)]
    more: BTreeMap<&'static str, (char, bool, u64)>,
    empty: [u8; 0],
}

fn of(text: &str) -> Of<'_> {
    Of {
        text,
        raw: RawValue::from_string(r#"{ "as": [1.0,  "\u00e9"] }"#.into()).expect("JSON"),
        kinds: [Kind::Unit, Kind::One(1), Kind::Two(2, "\n"), Kind::Named { a: Some(-3), b: 4.5e300 }],
        none: None,
        left_out: None,
        more: [("m", ('"', true, u64::MAX))].into(),
        empty: [],
    }
}

#[test]
fn every_kind_of_value_is_written_as_serde_json_writes_it() {
    let value = of("text");
    assert_eq!(written(&value), format!("> {}", serde_json::to_string(&value).expect("JSON")));
    let any = json!({"a": [null, true, -1, 1.5, "x\"y", {}], "b\\": {"c": []}});
    assert_eq!(written(&any), format!("> {any}"));
}

#[test]
fn only_texts_name_what_is_in_a_map() {
    assert!(write(&mut Vec::new(), &BTreeMap::from([(1, 2)])).is_err());
}

#[test]
fn each_byte_is_escaped_wherever_it_stands() {
    for byte in 0..=127u8 {
        for (before, after) in [(0, 0), (3, 3), (7, 0), (0, 7), (7, 1), (9, 20), (31, 2)] {
            let text = format!("{}{}{}", "x".repeat(before), char::from(byte), "é".repeat(after));
            assert_eq!(written(&text), format!("> {}", serde_json::to_string(&text).expect("JSON")));
        }
    }
}

proptest! {
    #[test]
    fn texts_are_written_as_serde_json_writes_them(s in "\\PC*|.*") {
        prop_assert_eq!(written(&s), format!("> {}", serde_json::to_string(&s).expect("JSON")));
    }
}
