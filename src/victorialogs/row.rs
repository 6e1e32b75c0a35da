//! A record as a row: nested maps flattened with dots, every name once, message and time found, within the limits.
//!
//! Serves `encode`, which keeps one [`Row`] for all records of a batch. Invariant: no name is given
//! twice or is the server's own; what had to be changed is counted.

use super::{
    json,
    limits::{self, FLATTEN_DEPTH, NAME, RESERVED_PREFIX},
    rules::Rules,
    tally::{Counts, Reason},
    text,
};
use crate::record::msgpack::walk::{Damaged, Value, Walk};

/// Text that lies in the chunk, or in the row's own memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Text<'a> {
    Chunk(&'a [u8]),
    Own { at: u32, len: u32 },
}

impl Text<'_> {
    pub(crate) fn len(self) -> usize {
        match self {
            Text::Chunk(bytes) => bytes.len(),
            Text::Own { len, .. } => len as usize,
        }
    }
}

/// An empty message: the server would put a text of its own in place of none.
const BLANK: Text<'static> = Text::Chunk(b" ");

/// What a field is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// To be sent with the row.
    Plain,
    /// To be sent once for the stream; the number is its place in the rules.
    Stream(u32),
    /// To be the message, the time, or nothing: not a field of the row.
    Taken,
}

/// A name with its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) name: Text<'a>,
    pub(crate) value: Text<'a>,
    pub(crate) role: Role,
    /// Tells most names apart at a glance.
    mark: u32,
    /// Whether the value is JSON as it stands.
    bare: bool,
}

impl<'a> Field<'a> {
    /// A field that is JSON as it stands.
    pub(super) fn json(name: Text<'a>, value: Text<'a>) -> Self {
        Self { name, value, role: Role::Plain, mark: 0, bare: true }
    }
}

/// A row under construction. Its memory is used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Row<'a> {
    pub(crate) fields: Vec<Field<'a>>,
    pub(super) surplus: Vec<Field<'a>>,
    message: Option<(u32, usize)>,
    /// Whether a field that may be the message is there, but empty.
    has_empty_message: bool,
    time: Option<(u32, usize)>,
    pub(super) own: Vec<u8>,
    path: Vec<u8>,
}

impl<'a> Row<'a> {
    /// A row that uses memory of an earlier one.
    pub(crate) fn with_memory(own: Vec<u8>, path: Vec<u8>) -> Self {
        Self { own, path, ..Self::default() }
    }

    /// Gives the memory back.
    pub(crate) fn into_memory(self) -> (Vec<u8>, Vec<u8>) {
        (self.own, self.path)
    }

    /// Starts over.
    pub(crate) fn clear(&mut self) {
        self.fields.clear();
        self.surplus.clear();
        self.own.clear();
        self.path.clear();
        self.message = None;
        self.has_empty_message = false;
        self.time = None;
    }

    /// The bytes of a text of this row.
    #[inline]
    pub(crate) fn bytes(&self, text: Text<'a>) -> &[u8] {
        match text {
            Text::Chunk(bytes) => bytes,
            Text::Own { at, len } => self.own.get(at as usize..(at + len) as usize).unwrap_or_default(),
        }
    }

    /// The fields that are sent with the row.
    pub(crate) fn plain(&self) -> impl Iterator<Item = &Field<'a>> {
        self.fields.iter().filter(|field| field.role == Role::Plain)
    }

    pub(super) fn own(&self, from: usize) -> Text<'a> {
        Text::Own { at: from as u32, len: (self.own.len() - from) as u32 }
    }

    /// Adds the pairs of a map below `prefix`.
    pub(crate) fn add_map(
        &mut self,
        prefix: &[u8],
        pairs: u32,
        walk: &mut Walk<'a>,
        rules: &Rules,
        counts: &mut Counts,
    ) -> Result<(), Damaged> {
        self.path.clear();
        self.path.extend_from_slice(prefix);
        let done = self.pairs(pairs, walk, 1, rules, counts);
        self.path.clear();
        done
    }

    fn pairs(
        &mut self,
        pairs: u32,
        walk: &mut Walk<'a>,
        depth: usize,
        rules: &Rules,
        counts: &mut Counts,
    ) -> Result<(), Damaged> {
        for _ in 0..pairs {
            let key = walk.next()?;
            self.pair(key, walk, depth, rules, counts)?;
        }
        Ok(())
    }

    /// Adds the value ahead under `key`, which may itself be of any type.
    pub(crate) fn pair(
        &mut self,
        key: Value<'a>,
        walk: &mut Walk<'a>,
        depth: usize,
        rules: &Rules,
        counts: &mut Counts,
    ) -> Result<(), Damaged> {
        if let Value::Array(items) = key {
            skip_items(walk, items.into())?;
        } else if let Value::Map(items) = key {
            skip_items(walk, 2 * u64::from(items))?;
        }
        let value_at = walk.clone();
        let value = walk.next()?;
        match value {
            // Below a name that is too long already nothing is flattened: each value would repeat all of it.
            Value::Map(pairs) if depth < FLATTEN_DEPTH && self.path.len() + key.text_len() <= NAME => {
                let parent = self.path.len();
                if !self.path.is_empty() {
                    self.path.push(b'.');
                }
                if text::scalar(&mut self.path, key) {
                    counts.add(Reason::NotUtf8);
                }
                let done = self.pairs(pairs, walk, depth + 1, rules, counts);
                self.path.truncate(parent);
                return done;
            }
            Value::Str(&[]) | Value::Bin(&[]) => {
                let name = self.name(key, &mut Counts::default());
                self.has_empty_message |= rules.ranks(self.bytes(name)).message.is_some();
                return Ok(());
            }
            Value::Nil => return Ok(()),
            _ => {}
        }
        let name = self.name(key, counts);
        let value = match value {
            Value::Str(bytes) | Value::Bin(bytes) if std::str::from_utf8(bytes).is_ok() => {
                (Text::Chunk(bytes), false)
            }
            Value::Array(_) | Value::Map(_) => {
                let from = self.own.len();
                *walk = value_at;
                json::value(&mut self.own, walk, 0, counts)?;
                (self.own(from), true)
            }
            scalar => {
                let from = self.own.len();
                if text::scalar(&mut self.own, scalar) {
                    counts.add(Reason::NotUtf8);
                }
                let bare = match scalar {
                    Value::Float(number) => number.is_finite(),
                    Value::Bool(_) | Value::Unsigned(_) | Value::Signed(_) => true,
                    _ => false,
                };
                (self.own(from), bare)
            }
        };
        self.push(name, value, rules, counts);
        Ok(())
    }

    #[inline]
    fn name(&mut self, key: Value<'a>, counts: &mut Counts) -> Text<'a> {
        if self.path.is_empty()
            && let Value::Str(bytes) = key
            && std::str::from_utf8(bytes).is_ok()
        {
            return Text::Chunk(bytes);
        }
        let from = self.own.len();
        if !self.path.is_empty() {
            self.own.extend_from_slice(&self.path);
            self.own.push(b'.');
        }
        if text::scalar(&mut self.own, key) {
            counts.add(Reason::NotUtf8);
        }
        self.own(from)
    }

    /// Adds a field under a flattened name, unless the operator wants none of that name.
    #[inline]
    fn push(
        &mut self,
        mut name: Text<'a>,
        (value, bare): (Text<'a>, bool),
        rules: &Rules,
        counts: &mut Counts,
    ) {
        if name.len() == 0
            || (self.bytes(name).first() == Some(&b'_') && limits::is_reserved(self.bytes(name)))
        {
            name = self.renamed(name, counts);
        }
        if value.len() == 0 || rules.leaves_out(self.bytes(name)) {
            return;
        }
        let mark = mark(self.bytes(name));
        let field = Field { name, value, role: Role::Plain, mark, bare };
        if name.len() > NAME {
            counts.add(Reason::LongName);
            self.surplus.push(field);
            return;
        }
        let twin = (0..self.fields.len())
            .find(|&at| self.fields[at].mark == mark && self.bytes(self.fields[at].name) == self.bytes(name));
        if let Some(at) = twin {
            counts.add(Reason::Duplicate);
            self.fields[at].value = value;
            self.fields[at].bare = bare;
            self.classify(at, rules, counts);
            return;
        }
        if self.fields.len() >= limits::FIELDS {
            counts.add(Reason::ManyFields);
            self.surplus.push(field);
            return;
        }
        let at = self.fields.len();
        self.fields.push(field);
        self.classify(at, rules, counts);
    }

    #[inline]
    fn classify(&mut self, at: usize, rules: &Rules, counts: &mut Counts) {
        let ranks = rules.ranks(self.bytes(self.fields[at].name));
        if let Some(rank) = ranks.message.filter(|&rank| self.message.is_none_or(|(best, _)| rank < best)) {
            self.message = Some((rank, at));
        }
        if let Some(rank) = ranks.time.filter(|&rank| self.time.is_none_or(|(best, _)| rank < best)) {
            self.time = Some((rank, at));
        }
        if let Some(rank) = ranks.stream {
            self.fields[at].role = Role::Stream(rank);
            let (value, len) = (self.fields[at].value, self.fields[at].value.len());
            if len > limits::STREAM_VALUE {
                counts.add(Reason::Truncated);
                self.fields[at].value = self.truncated(value, len, len - limits::STREAM_VALUE);
                self.fields[at].bare = false;
            }
        }
    }

    fn renamed(&mut self, name: Text<'a>, counts: &mut Counts) -> Text<'a> {
        counts.add(Reason::Reserved);
        let from = self.own.len();
        self.own.extend_from_slice(RESERVED_PREFIX.as_bytes());
        match name {
            Text::Chunk(bytes) => self.own.extend_from_slice(bytes),
            Text::Own { at, len } => self.own.extend_from_within(at as usize..(at + len) as usize),
        }
        self.own(from)
    }

    /// The time that a time field gives, which then is no field any more.
    pub(crate) fn take_time(&mut self, counts: &mut Counts) -> Option<i64> {
        let (_, at) = self.time?;
        let time = super::time::of_text(self.bytes(self.fields[at].value));
        match time {
            Some(_) => self.fields[at].role = Role::Taken,
            None => counts.add(Reason::BadTime),
        }
        time
    }

    /// The message, which then is no field any more, without the line end that Docker keeps and other runtimes do not. An
    /// empty one is a blank, which the server keeps; without one, it is all fields as JSON.
    pub(crate) fn take_message(&mut self, counts: &mut Counts) -> Text<'a> {
        let message = self.message.filter(|&(_, at)| self.fields[at].role != Role::Taken);
        if let Some((_, at)) = message {
            self.fields[at].role = Role::Taken;
        }
        self.rename_other_message(counts);
        if let Some((_, at)) = message {
            let message = self.without_line_end(self.fields[at].value);
            return if message.len() > 0 { message } else { BLANK };
        }
        if self.has_empty_message {
            return BLANK;
        }
        counts.add(Reason::NoMessage);
        let fields = std::mem::take(&mut self.fields);
        let text = self.object(fields.iter().filter(|field| field.role == Role::Plain));
        self.fields = fields;
        text
    }

    fn without_line_end(&self, text: Text<'a>) -> Text<'a> {
        let end = match self.bytes(text) {
            [.., b'\r', b'\n'] => 2,
            [.., b'\n'] => 1,
            _ => return text,
        };
        match text {
            Text::Chunk(bytes) => Text::Chunk(&bytes[..bytes.len() - end]),
            Text::Own { at, len } => Text::Own { at, len: len - end as u32 },
        }
    }

    /// A field `_msg` that is not the message would collide with it.
    fn rename_other_message(&mut self, counts: &mut Counts) {
        let other = self
            .fields
            .iter()
            .position(|field| field.role != Role::Taken && self.bytes(field.name) == b"_msg");
        if let Some(at) = other {
            self.fields[at].name = self.renamed(self.fields[at].name, counts);
        }
    }

    /// Appends fields as a JSON object to the row's own memory.
    pub(super) fn object<'f>(&mut self, fields: impl Iterator<Item = &'f Field<'a>>) -> Text<'a>
    where
        'a: 'f,
    {
        let from = self.own.len();
        let mut object = vec![b'{'];
        for field in fields {
            if object.len() > 1 {
                object.push(b',');
            }
            json::string(&mut object, self.bytes(field.name));
            object.push(b':');
            match field.bare {
                true => object.extend_from_slice(self.bytes(field.value)),
                false => json::string(&mut object, self.bytes(field.value)),
            }
        }
        object.push(b'}');
        self.own.extend_from_slice(&object);
        self.own(from)
    }
}

fn skip_items(walk: &mut Walk<'_>, items: u64) -> Result<(), Damaged> {
    for _ in 0..items {
        walk.skip()?;
    }
    Ok(())
}

#[inline]
fn mark(name: &[u8]) -> u32 {
    let tail = match name {
        [.., a, b, c] => u32::from_le_bytes([*a, *b, *c, 0]),
        _ => name.first().map_or(0, |&byte| byte.into()),
    };
    tail | (name.len() as u32) << 24
}
