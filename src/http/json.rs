//! JSON as answers have it: what `serde_json` writes, to the byte, but texts are looked at eight bytes at a time for what has to be escaped,
//! and names of fields, which are words of ours, not at all.

#[cfg(test)]
mod tests;

use serde::Serialize;
use serde::ser::{self, Error as _, Serializer};
use serde_json::Error;

/// By this name `serde_json`'s `RawValue` tells a writer that it is JSON already.
const RAW: &str = "$serde_json::private::RawValue";

/// Writes a value behind what is there.
///
/// # Errors
/// When the value refuses to be written, or has a map whose keys are no texts.
pub fn write(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
    value.serialize(Writer { out, is_raw: false })
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// A text that comes is JSON already.
    is_raw: bool,
}

impl<'a> Writer<'a> {
    /// What is seldom in answers, or no shorter here, is written by `serde_json` itself.
    fn plainly(self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        serde_json::to_writer(self.out, value)
    }

    fn begin(self, opening: u8, closing: &'static [u8]) -> Parts<'a> {
        self.out.push(opening);
        Parts { out: self.out, closing, is_first: true, is_raw: false }
    }

    /// `{"variant":` and what it holds.
    fn begin_variant(self, variant: &str, opening: u8, closing: &'static [u8]) -> Parts<'a> {
        self.out.push(b'{');
        name(self.out, variant);
        self.begin(opening, closing)
    }
}

/// A name of ours, with what follows it.
fn name(out: &mut Vec<u8>, name: &str) {
    out.reserve(name.len() + 3);
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn text(out: &mut Vec<u8>, text: &str) -> Result<(), Error> {
    if has_to_be_escaped(text.as_bytes()) {
        return serde_json::to_writer(out, text);
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

/// Whether there is a quote, a backslash or a control character.
fn has_to_be_escaped(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().any(|&b| b < b' ' || b == b'"' || b == b'\\');
    };
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().chain([last]).any(|word| has_in_word(u64::from_ne_bytes(*word)))
}

/// The same of eight bytes at once: of what is subtracted from a smaller byte, the highest bit shows.
fn has_in_word(word: u64) -> bool {
    const EACH: u64 = u64::MAX / 255;
    let any_below = |word: u64, limit: u8| word.wrapping_sub(EACH * u64::from(limit)) & !word;
    let any_is = |byte: u8| any_below(word ^ (EACH * u64::from(byte)), 1);
    (any_below(word, b' ') | any_is(b'"') | any_is(b'\\')) & (EACH * 0x80) != 0
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    fn serialize_bool(self, v: bool) -> Result<(), Error> {
        self.out.extend_from_slice(if v { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, v: i8) -> Result<(), Error> {
        self.plainly(&v)
    }

    fn serialize_i16(self, v: i16) -> Result<(), Error> {
        self.plainly(&v)
    }

    fn serialize_i32(self, v: i32) -> Result<(), Error> {
        self.plainly(&v)
    }

    fn serialize_i64(self, v: i64) -> Result<(), Error> {
        self.plainly(&v)
    }

    fn serialize_u8(self, v: u8) -> Result<(), Error> {
        self.plainly(&v)
    }

    fn serialize_u16(self, v: u16) -> Result<(), Error> {
        self.plainly(&v)
    }

    fn serialize_u32(self, v: u32) -> Result<(), Error> {
        self.plainly(&v)
    }

    fn serialize_u64(self, v: u64) -> Result<(), Error> {
        self.plainly(&v)
    }

    fn serialize_f32(self, v: f32) -> Result<(), Error> {
        self.plainly(&v)
    }

    fn serialize_f64(self, v: f64) -> Result<(), Error> {
        self.plainly(&v)
    }

    fn serialize_char(self, v: char) -> Result<(), Error> {
        self.plainly(&v)
    }

    fn serialize_str(self, v: &str) -> Result<(), Error> {
        if self.is_raw {
            self.out.extend_from_slice(v.as_bytes());
            return Ok(());
        }
        text(self.out, v)
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<(), Error> {
        self.plainly(v)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        text(self.out, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut parts = self.begin(b'{', b"}");
        parts.field(variant, value)?;
        parts.finish()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a>, Error> {
        Ok(self.begin(b'[', b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, Error> {
        Ok(self.begin(b'[', b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, Error> {
        Ok(self.begin(b'[', b"]"))
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Parts<'a>, Error> {
        Ok(self.begin_variant(variant, b'[', b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'a>, Error> {
        Ok(self.begin(b'{', b"}"))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Parts<'a>, Error> {
        if name == RAW {
            return Ok(Parts { out: self.out, closing: b"", is_first: true, is_raw: true });
        }
        Ok(self.begin(b'{', b"}"))
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Parts<'a>, Error> {
        Ok(self.begin_variant(variant, b'{', b"}}"))
    }
}

/// A list or an object that is being written.
struct Parts<'a> {
    out: &'a mut Vec<u8>,
    closing: &'static [u8],
    is_first: bool,
    /// It is the text of a `RawValue`.
    is_raw: bool,
}

impl Parts<'_> {
    fn next(&mut self) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.out.push(b',');
        }
    }

    fn value(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        value.serialize(Writer { out: self.out, is_raw: self.is_raw })
    }

    fn element(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.next();
        self.value(value)
    }

    fn field(&mut self, field: &'static str, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        if !self.is_raw {
            self.next();
            name(self.out, field);
        }
        self.value(value)
    }

    fn finish(self) -> Result<(), Error> {
        self.out.extend_from_slice(self.closing);
        Ok(())
    }
}

impl ser::SerializeSeq for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl ser::SerializeTuple for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl ser::SerializeTupleStruct for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl ser::SerializeTupleVariant for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl ser::SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.next();
        let begin = self.out.len();
        self.value(key)?;
        if self.out.get(begin) != Some(&b'"') {
            return Err(Error::custom("a key of a map is no text"));
        }
        self.out.push(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.value(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl ser::SerializeStruct for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.field(name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl ser::SerializeStructVariant for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.field(name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}
