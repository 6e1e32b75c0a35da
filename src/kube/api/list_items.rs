//! The objects of a list, one by one, out of an answer that comes in pieces.
//!
//! Serves `api`. Neither a page nor the list is ever held, only the object under way and what stands around the
//! objects. Invariants: the same bytes give the same objects however they are cut; an answer that ends early is told.

use memchr::memchr2;

/// An object is no longer: etcd takes 1.5 MiB, other stores behind the API somewhat more.
const OBJECT_LIMIT: usize = 64 << 20;
/// Nor is what stands around the objects.
const AROUND_LIMIT: usize = 1 << 20;
/// A larger buffer is given back after its object.
const USUAL: usize = 256 << 10;

/// Takes a list apart.
#[derive(Debug, Default)]
pub(crate) struct Items {
    depth: usize,
    in_text: bool,
    is_escaped: bool,
    /// Between the brackets of `items`.
    in_items: bool,
    in_object: bool,
    /// The object under way, as far as it came.
    object: Vec<u8>,
    /// All but the objects.
    around: Vec<u8>,
}

/// Why there is no list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    TooLong,
    Unbalanced,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong => write!(f, "an object is longer than {} MiB", OBJECT_LIMIT >> 20),
            Self::Unbalanced => f.write_str("the list ends early or is no JSON"),
        }
    }
}

impl Items {
    /// Takes the next bytes of the answer, and calls `each` for every object that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), Broken> {
        let (mut from, mut at) = (0, 0);
        while at < bytes.len() {
            if self.in_text {
                at = self.text(bytes, at);
                continue;
            }
            let byte = bytes[at];
            at += 1;
            match byte {
                b'"' => self.in_text = true,
                b'{' if self.in_items && self.depth == 2 => {
                    self.in_object = true;
                    from = at - 1;
                    self.depth += 1;
                }
                b'[' if self.depth == 1 => {
                    self.around.extend_from_slice(&bytes[from..at]);
                    from = at;
                    self.in_items = self.follows_items();
                    self.depth += 1;
                }
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.checked_sub(1).ok_or(Broken::Unbalanced)?;
                    if self.in_object && self.depth == 2 {
                        self.complete(&bytes[from..at], &mut each);
                        from = at;
                    } else if self.depth == 1 && self.in_items {
                        self.in_items = false;
                        from = at - 1;
                    }
                }
                // What separates objects.
                _ if self.in_items && self.depth == 2 => from = at,
                _ => {}
            }
        }
        let held = if self.in_object { &mut self.object } else { &mut self.around };
        held.extend_from_slice(&bytes[from..]);
        let is_too_long = self.object.len() > OBJECT_LIMIT || self.around.len() > AROUND_LIMIT;
        if is_too_long { Err(Broken::TooLong) } else { Ok(()) }
    }

    /// Goes on in a text from `at`; answers where it ends, or where the bytes do.
    fn text(&mut self, bytes: &[u8], at: usize) -> usize {
        if std::mem::take(&mut self.is_escaped) {
            return at + 1;
        }
        let Some(length) = memchr2(b'"', b'\\', &bytes[at..]) else { return bytes.len() };
        match bytes[at + length] {
            b'"' => self.in_text = false,
            _ => self.is_escaped = true,
        }
        at + length + 1
    }

    /// Whether the bracket that was just kept begins the objects.
    fn follows_items(&self) -> bool {
        let before = self.around[..self.around.len() - 1].trim_ascii_end().strip_suffix(b":");
        before.is_some_and(|before| before.trim_ascii_end().ends_with(b"\"items\""))
    }

    fn complete(&mut self, end: &[u8], each: &mut impl FnMut(&[u8])) {
        self.in_object = false;
        if self.object.is_empty() {
            return each(end);
        }
        self.object.extend_from_slice(end);
        each(&self.object);
        self.object.clear();
        self.object.shrink_to(USUAL);
    }

    /// The answer is over: what stood around the objects, as JSON with an empty list.
    pub(crate) fn end(self) -> Result<Vec<u8>, Broken> {
        let is_whole = self.depth == 0 && !self.in_text && !self.around.is_empty();
        if is_whole { Ok(self.around) } else { Err(Broken::Unbalanced) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> (Vec<String>, Result<String, Broken>) {
        let mut items = Items::default();
        let mut found = Vec::new();
        for piece in pieces {
            let each = |object: &[u8]| found.push(String::from_utf8(object.to_vec()).unwrap());
            if let Err(broken) = items.push(piece, each) {
                return (found, Err(broken));
            }
        }
        (found, items.end().map(|around| String::from_utf8(around).unwrap()))
    }

    #[test]
    fn objects_are_the_same_wherever_the_answer_is_cut() {
        let list = br#" {"kind":"PodList","items" : [ {"a":{"items":[1,{}]},"t":"}\"]{\\"} ,
            {},{"b":[[]]}],"metadata":{"resourceVersion":"7","x":["]"]}} "#;
        let objects = [r#"{"a":{"items":[1,{}]},"t":"}\"]{\\"}"#, "{}", r#"{"b":[[]]}"#];
        let around = r#" {"kind":"PodList","items" : [],"metadata":{"resourceVersion":"7","x":["]"]}} "#;
        let whole = read(&[list]);
        assert_eq!(whole, (objects.map(str::to_owned).to_vec(), Ok(around.to_owned())));
        for first in 0..=list.len() {
            for second in (first..=list.len()).step_by(7) {
                let pieces = [&list[..first], &list[first..second], &list[second..]];
                assert_eq!(read(&pieces), whole, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn an_answer_that_ends_early_or_is_no_list_is_told() {
        for text in ["", r#"{"items":[{}"#, r#"{"items":[{}]"#, r#"{"a":"b"#, "}", r#"{"items":[]}]"#] {
            assert_eq!(read(&[text.as_bytes()]).1, Err(Broken::Unbalanced), "{text}");
        }
        assert_eq!(read(&[br#"{"items":null}"#]), (vec![], Ok(r#"{"items":null}"#.into())));
    }

    #[test]
    fn what_has_no_end_takes_a_bounded_amount_of_memory() {
        let mut items = Items::default();
        items.push(b"{\"a\":\"", |_| ()).unwrap();
        let piece = [b'x'; 64 << 10];
        let broken = (0..100).find_map(|_| items.push(&piece, |_| ()).err());
        assert_eq!(broken, Some(Broken::TooLong));
    }
}
