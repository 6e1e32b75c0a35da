//! A JSON value kept as the msgpack that records carry.
//!
//! Serves `pod`: labels, annotations and owner references are passed on whole and in the API's order, so they are
//! stored encoded and never looked into. Invariant: the bytes are one complete msgpack value.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

use crate::record::msgpack::{reader::value_len, write};

/// One value, as msgpack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Msgpack(Box<[u8]>);

impl Msgpack {
    /// These bytes, if they are one complete value.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        (value_len(bytes) == Some(bytes.len())).then(|| Self(bytes.into()))
    }

    /// The msgpack.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether `text` occurs in it, be it key or value.
    pub fn contains(&self, text: &str) -> bool {
        memchr::memmem::find(&self.0, text.as_bytes()).is_some()
    }
}

impl<'de> Deserialize<'de> for Msgpack {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let mut bytes = Vec::new();
        Append(&mut bytes).deserialize(input)?;
        Ok(Self(bytes.into_boxed_slice()))
    }
}

/// Appends whatever comes to a buffer, as msgpack.
pub(crate) struct Append<'a>(pub(crate) &'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Append<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Append<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        write::nil(self.0);
        Ok(())
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        self.deserialize(input)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        write::bool(self.0, value);
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        write::int(self.0, value);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        write::uint(self.0, value);
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        write::f64(self.0, value);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        write::str(self.0, text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let start = write::open(self.0);
        let mut count = 0;
        while items.next_element_seed(Append(self.0))?.is_some() {
            count += 1;
        }
        write::close(self.0, start, write::array_header, count);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let start = write::open(self.0);
        let mut count = 0;
        while entries.next_key_seed(Append(self.0))?.is_some() {
            entries.next_value_seed(Append(self.0))?;
            count += 1;
        }
        write::close(self.0, start, write::map_header, count);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_msgpack_in_its_own_order() {
        let json = r#"{"z":[1,-2,2.5,null,true],"a":{"k":"v"},"big":18446744073709551615}"#;
        let value: Msgpack = serde_json::from_str(json).unwrap();
        let read = rmpv::decode::read_value(&mut value.bytes()).unwrap();
        assert_eq!(
            read.to_string(),
            r#"{"z": [1, -2, 2.5, nil, true], "a": {"k": "v"}, "big": 18446744073709551615}"#
        );
    }
}
