//! Rows made to fit: what is too long or too many for the server is cut or packed together, and counted.
//!
//! Serves `encode` and `labels`. Invariant: a row within the limits stays as it is.

use super::{
    limits::{FIELD_BASE, SURPLUS},
    row::{Field, Role, Row, Text},
    tally::{Counts, Reason},
};

impl<'a> Row<'a> {
    /// Keeps at most `room` fields, all others as JSON in one of them.
    pub(crate) fn limit_fields(&mut self, room: usize, counts: &mut Counts) {
        let kept = self.fields.iter().filter(|field| field.role != Role::Taken).count();
        if self.surplus.is_empty() && kept <= room {
            return;
        }
        let mut excess = (kept + 1).saturating_sub(room);
        for at in (0..self.fields.len()).rev() {
            let is_ours = self.bytes(self.fields[at].name) == SURPLUS.as_bytes();
            if self.fields[at].role == Role::Plain && (excess > 0 || is_ours) {
                self.surplus.push(self.fields[at]);
                self.fields[at].role = Role::Taken;
                excess = excess.saturating_sub(1);
                counts.add(Reason::ManyFields);
            }
        }
        self.pack_surplus(b"");
    }

    /// Packs what can't be fields of their own, as JSON, into one field below `prefix`.
    pub(crate) fn pack_surplus(&mut self, prefix: &[u8]) {
        if self.surplus.is_empty() {
            return;
        }
        let surplus = std::mem::take(&mut self.surplus);
        let value = self.object(surplus.iter());
        self.surplus = surplus;
        let from = self.own.len();
        if !prefix.is_empty() {
            self.own.extend_from_slice(prefix);
            self.own.push(b'.');
        }
        self.own.extend_from_slice(SURPLUS.as_bytes());
        let name = self.own(from);
        self.fields.push(Field::json(name, value));
    }

    /// Cuts the longest values until message and fields are within `limit`, a text counting for what `size` says.
    pub(crate) fn limit_size(
        &mut self,
        message: &mut Text<'a>,
        limit: usize,
        size: impl Fn(&[u8]) -> usize,
        counts: &mut Counts,
    ) {
        loop {
            let message_size = size(self.bytes(*message));
            let (mut total, mut longest) = (message_size, (0, None));
            for (at, field) in self.fields.iter().enumerate().filter(|(_, field)| field.role != Role::Taken) {
                let value_size = size(self.bytes(field.value));
                total += FIELD_BASE + size(self.bytes(field.name)) + value_size;
                if value_size > longest.0 {
                    longest = (value_size, Some(at));
                }
            }
            if total <= limit {
                return;
            }
            counts.add(Reason::Truncated);
            let excess = total - limit;
            match longest {
                (value_size, Some(at)) if value_size > message_size => {
                    self.fields[at].value = self.truncated(self.fields[at].value, value_size, excess);
                }
                _ if message_size > 0 => *message = self.truncated(*message, message_size, excess),
                _ => return self.fields.clear(), // names alone are too long: possible only by ill will
            }
        }
    }

    /// A text cut by about `excess` of the `size` that it counts for, with a mark that says so.
    pub(super) fn truncated(&mut self, text: Text<'a>, size: usize, excess: usize) -> Text<'a> {
        let full = text.len();
        let mark = format!("... [truncated, {full} bytes]");
        let gone = excess + mark.len() + 4;
        // A byte may count for several: cut in proportion, rounded so that every round makes it shorter.
        let keep = (full as u128 * size.saturating_sub(gone) as u128 / size.max(1) as u128) as usize;
        let mut kept = self.bytes(text).get(..keep.min(full)).unwrap_or_default().to_vec();
        if let Err(cut) = std::str::from_utf8(&kept) {
            kept.truncate(cut.valid_up_to());
        }
        let from = self.own.len();
        self.own.extend_from_slice(&kept);
        if kept.len() + mark.len() < full {
            self.own.extend_from_slice(mark.as_bytes());
        }
        self.own(from)
    }
}
