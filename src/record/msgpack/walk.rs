//! A borrowed walk over msgpack that tells types: one value at a time, nothing copied, nothing trusted.
//!
//! Use it where types matter and every value is looked at once, as the output's encoder does; use [`crate::record::msgpack::reader`]
//! where whole events, maps and values are taken as bytes. Invariant: every step stays within the bytes; damage ends
//! the walk with an error, never a panic.

use crate::record::msgpack::reader::value_len;

/// The head of a value; for arrays and maps the items follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Str(&'a [u8]),
    Bin(&'a [u8]),
    Ext(i8, &'a [u8]),
    Array(u32),
    Map(u32),
}

impl Value<'_> {
    /// How long its text is at least; numbers are short.
    pub(crate) fn text_len(self) -> usize {
        match self {
            Value::Str(bytes) | Value::Bin(bytes) | Value::Ext(_, bytes) => bytes.len(),
            _ => 0,
        }
    }
}

/// The bytes end early or hold a byte that msgpack never uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damaged;

/// A position in msgpack bytes.
#[derive(Debug, Clone)]
pub(crate) struct Walk<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// How many bytes were walked over.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// What lies ahead.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    /// Goes on after `len` bytes that the caller knows.
    pub(crate) fn advance(&mut self, len: usize) {
        self.at = (self.at + len).min(self.data.len());
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Damaged> {
        let end = self.at.checked_add(len).ok_or(Damaged)?;
        let bytes = self.data.get(self.at..end).ok_or(Damaged)?;
        self.at = end;
        Ok(bytes)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        self.take(N)?.try_into().map_err(|_| Damaged)
    }

    fn length(&mut self, width: u8) -> Result<usize, Damaged> {
        Ok(match width {
            1 => usize::from(u8::from_be_bytes(self.number()?)),
            2 => usize::from(u16::from_be_bytes(self.number()?)),
            _ => u32::from_be_bytes(self.number()?) as usize,
        })
    }

    fn ext(&mut self, len: usize) -> Result<Value<'a>, Damaged> {
        let kind = i8::from_be_bytes(self.number()?);
        Ok(Value::Ext(kind, self.take(len)?))
    }

    /// Reads the next value's head, and all of it unless it is an array or a map.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Value<'a>, Damaged> {
        let &first = self.data.get(self.at).ok_or(Damaged)?;
        self.at += 1;
        Ok(match first {
            0x00..=0x7f => Value::Unsigned(first.into()),
            0x80..=0x8f => Value::Map((first & 0x0f).into()),
            0x90..=0x9f => Value::Array((first & 0x0f).into()),
            0xa0..=0xbf => Value::Str(self.take((first & 0x1f).into())?),
            0xe0..=0xff => Value::Signed(i64::from(first as i8)),
            0xd9..=0xdb => {
                let len = self.length(1 << (first - 0xd9))?;
                Value::Str(self.take(len)?)
            }
            _ => return self.rarer(first),
        })
    }

    fn rarer(&mut self, first: u8) -> Result<Value<'a>, Damaged> {
        Ok(match first {
            0xc0 => Value::Nil,
            0xc2 => Value::Bool(false),
            0xc3 => Value::Bool(true),
            0xc4..=0xc6 => {
                let len = self.length(1 << (first - 0xc4))?;
                Value::Bin(self.take(len)?)
            }
            0xc7..=0xc9 => {
                let len = self.length(1 << (first - 0xc7))?;
                self.ext(len)?
            }
            0xca => Value::Float(f32::from_be_bytes(self.number()?).into()),
            0xcb => Value::Float(f64::from_be_bytes(self.number()?)),
            0xcc => Value::Unsigned(u8::from_be_bytes(self.number()?).into()),
            0xcd => Value::Unsigned(u16::from_be_bytes(self.number()?).into()),
            0xce => Value::Unsigned(u32::from_be_bytes(self.number()?).into()),
            0xcf => Value::Unsigned(u64::from_be_bytes(self.number()?)),
            0xd0 => Value::Signed(i8::from_be_bytes(self.number()?).into()),
            0xd1 => Value::Signed(i16::from_be_bytes(self.number()?).into()),
            0xd2 => Value::Signed(i32::from_be_bytes(self.number()?).into()),
            0xd3 => Value::Signed(i64::from_be_bytes(self.number()?)),
            0xd4..=0xd8 => self.ext(1 << (first - 0xd4))?,
            0xdc => Value::Array(u16::from_be_bytes(self.number()?).into()),
            0xdd => Value::Array(u32::from_be_bytes(self.number()?)),
            0xde => Value::Map(u16::from_be_bytes(self.number()?).into()),
            0xdf => Value::Map(u32::from_be_bytes(self.number()?)),
            _ => return Err(Damaged),
        })
    }

    /// Goes past the next value with all that it holds, and gives its bytes.
    pub(crate) fn skip(&mut self) -> Result<&'a [u8], Damaged> {
        let len = value_len(self.rest()).ok_or(Damaged)?;
        self.take(len)
    }
}
