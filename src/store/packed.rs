//! Answers that a script packs into one text: a list with `cmsgpack`, on which Redis spends as much as on a list, or numbers alone with `struct`,
//! on which it spends a sixth. What reads them in the replica takes in one value instead of many, nested in each other.

use deadpool_redis::redis::Value;

/// The first byte of numbers alone, `struct.pack('<Bdd…', 0xc1, now, …)`: no list begins with it, MessagePack never uses it.
const NUMBERS: u8 = 0xc1;

/// What was packed, in the values that Redis would have answered with: a `false` is nil, fractions are cut off. Numbers alone stand for
/// `word`, the first that the script's header has, and them. None if it is not of the kinds that scripts answer with.
pub fn unpack(word: &str, bytes: &[u8]) -> Option<Value> {
    if let Some((&NUMBERS, numbers)) = bytes.split_first() {
        return numbers_behind(word, numbers);
    }
    let mut rest = Rest { bytes, depth: 0 };
    let value = rest.value()?;
    rest.bytes.is_empty().then_some(value)
}

fn numbers_behind(word: &str, bytes: &[u8]) -> Option<Value> {
    let (numbers, left) = bytes.as_chunks::<8>();
    let word = std::iter::once(Value::BulkString(word.as_bytes().to_vec()));
    let list = word.chain(numbers.iter().map(|n| Value::Int(whole(f64::from_le_bytes(*n)))));
    left.is_empty().then(|| Value::Array(list.collect()))
}

/// Deepest nesting: Redis packs no deeper.
const MAX_DEPTH: usize = 16;

/// What is still to be read.
struct Rest<'a> {
    bytes: &'a [u8],
    /// How many lists it stands in.
    depth: usize,
}

impl<'a> Rest<'a> {
    fn value(&mut self) -> Option<Value> {
        let [kind] = self.array()?;
        match kind {
            0x00..=0x7f => Some(Value::Int(kind.into())),
            0xe0.. => Some(Value::Int(kind.cast_signed().into())),
            0x90..=0x9f => self.list(usize::from(kind & 0x0f)),
            0xa0..=0xbf => self.text(usize::from(kind & 0x1f)),
            0xc0 | 0xc2 => Some(Value::Nil),
            0xc3 => Some(Value::Int(1)),
            0xca => Some(Value::Int(whole(f32::from_be_bytes(self.array()?).into()))),
            0xcb => Some(Value::Int(whole(f64::from_be_bytes(self.array()?)))),
            0xcc => Some(Value::Int(self.unsigned(1)?.try_into().ok()?)),
            0xcd => Some(Value::Int(self.unsigned(2)?.try_into().ok()?)),
            0xce => Some(Value::Int(self.unsigned(4)?.try_into().ok()?)),
            0xcf => Some(Value::Int(self.unsigned(8)?.try_into().ok()?)),
            0xd0 => Some(Value::Int(i8::from_be_bytes(self.array()?).into())),
            0xd1 => Some(Value::Int(i16::from_be_bytes(self.array()?).into())),
            0xd2 => Some(Value::Int(i32::from_be_bytes(self.array()?).into())),
            0xd3 => Some(Value::Int(i64::from_be_bytes(self.array()?))),
            0xd9 => self.long(1, Self::text),
            0xda => self.long(2, Self::text),
            0xdb => self.long(4, Self::text),
            0xdc => self.long(2, Self::list),
            0xdd => self.long(4, Self::list),
            _ => None,
        }
    }

    fn long(&mut self, bytes: usize, read: impl FnOnce(&mut Self, usize) -> Option<Value>) -> Option<Value> {
        let length = usize::try_from(self.unsigned(bytes)?).ok()?;
        read(self, length)
    }

    fn list(&mut self, length: usize) -> Option<Value> {
        if self.depth == MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        // Each takes a byte at least: a length that Redis did not pack makes no room.
        let mut list = Vec::with_capacity(length.min(self.bytes.len()));
        for _ in 0..length {
            list.push(self.value()?);
        }
        self.depth -= 1;
        Some(Value::Array(list))
    }

    fn text(&mut self, length: usize) -> Option<Value> {
        self.take(length).map(|text| Value::BulkString(text.to_vec()))
    }

    fn unsigned(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*first)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "as Redis does with numbers of scripts")]
fn whole(number: f64) -> i64 {
    number as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn what_redis_packs_is_read_as_it_would_have_answered() {
        // { 'posted', 1763774821350436, -3, 2.5, false, { '1-0', { 'c', ('x'):rep(40) } }, {}, true }
        let long = "x".repeat(40);
        let packed = [
            b"\x98\xa6posted\xcf\x00\x06\x44\x24\xd3\xb0\xbc\x24\xfd\xca\x40\x20\x00\x00\xc2\x92\xa31-0\x92\xa1c\xd9\x28".as_slice(),
            long.as_bytes(),
            b"\x90\xc3",
        ]
        .concat();
        let entry = Value::Array(vec![text("1-0"), Value::Array(vec![text("c"), text(&long)])]);
        let number = Value::Int(1_763_774_821_350_436);
        let expected =
            vec![text("posted"), number, Value::Int(-3), Value::Int(2), Value::Nil, entry, Value::Array(Vec::new()), Value::Int(1)];
        assert_eq!(unpack("posted", &packed), Some(Value::Array(expected)));
        assert_eq!(unpack("posted", &packed[..packed.len() - 1]), None, "it breaks off");
        assert_eq!(unpack("posted", &[packed.as_slice(), b"\x00"].concat()), None, "something follows");
    }

    #[test]
    fn numbers_alone_stand_behind_the_first_word() {
        let numbers = [1_795_363_677_564_688.0_f64, 0.0].map(f64::to_le_bytes).concat();
        let packed = [&[NUMBERS], numbers.as_slice()].concat();
        let list = Value::Array(vec![text("posted"), Value::Int(1_795_363_677_564_688), Value::Int(0)]);
        assert_eq!(unpack("posted", &packed), Some(list));
        assert_eq!(unpack("posted", &packed[..packed.len() - 1]), None, "it breaks off");
    }

    #[test]
    fn numbers_of_all_widths_are_read() {
        for (packed, expected) in [
            (b"\x7f".as_slice(), 127),
            (b"\xcc\xff", 255),
            (b"\xcd\xff\xfe", 65534),
            (b"\xce\x80\x00\x00\x00", 1 << 31),
            (b"\xd0\x80", -128),
            (b"\xd1\x80\x00", -32768),
            (b"\xd2\x80\x00\x00\x00", -(1 << 31)),
            (b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff", -1),
            (b"\xcb\xc0\x04\x00\x00\x00\x00\x00\x00", -2),
        ] {
            assert_eq!(unpack("posted", packed), Some(Value::Int(expected)), "{packed:x?}");
        }
        assert_eq!(unpack("posted", b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), None, "no number of ours is so large");
    }

    #[test]
    fn objects_and_what_is_too_deep_are_none_of_the_answers() {
        assert_eq!(unpack("posted", b"\x81\xa1a\x01"), None);
        assert!(unpack("posted", &[b"\x91".repeat(MAX_DEPTH).as_slice(), b"\x01"].concat()).is_some());
        assert_eq!(unpack("posted", &[b"\x91".repeat(MAX_DEPTH + 1).as_slice(), b"\x01"].concat()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_take_much_room(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = unpack("posted", &bytes);
        }
    }
}
