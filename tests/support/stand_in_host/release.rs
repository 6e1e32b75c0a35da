//! The releases that the stand-in host can be, and what differs between them: struct sizes, exported symbols, habits.
//!
//! Invariant: an epoch is a run of releases with the same layouts, as `include/fluent_bit.h` states them.

use std::{fmt, str::FromStr};

/// A version of Fluent Bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u8, pub(crate) u8, pub(crate) u8);

impl Version {
    /// As one number that orders like the version: the C shim compares it.
    pub(crate) fn number(self) -> u32 {
        u32::from(self.0) << 16 | u32::from(self.1) << 8 | u32::from(self.2)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || {
            let series: Vec<_> = SERIES.iter().map(|(x, y, z)| format!("{x}.{y}.0 to {x}.{y}.{z}")).collect();
            format!("'{text}' is no release that this host knows: {}", series.join(", "))
        };
        let numbers: Vec<u8> = text
            .trim_start_matches('v')
            .split('.')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| unknown())?;
        let (major, minor, patch) = match numbers[..] {
            [major, minor, patch] => (major, minor, patch),
            [4, 2, 3, 1] => (4, 2, 3), // the one release with four numbers
            _ => return Err(unknown()),
        };
        let known = SERIES.iter().any(|&(x, y, last)| x == major && y == minor && patch <= last);
        known.then_some(Self(major, minor, patch)).ok_or_else(unknown)
    }
}

/// Each series with its last patch release.
const SERIES: [(u8, u8, u8); 11] = [
    (2, 0, 14),
    (2, 1, 10),
    (2, 2, 3),
    (3, 0, 7),
    (3, 1, 10),
    (3, 2, 10),
    (4, 0, 14),
    (4, 1, 2),
    (4, 2, 8),
    (5, 0, 9),
    (5, 1, 1),
];

/// The sizes of one epoch, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epoch {
    pub(crate) first: Version,
    pub(crate) filter: usize,
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) custom: usize,
    pub(crate) processor: usize,
    pub(crate) config_map: usize,
    pub(crate) def: usize,
    pub(crate) api: usize,
}

const fn epoch(first: Version, plugins: [usize; 5], config_map: usize, def: usize, api: usize) -> Epoch {
    let [filter, input, output, custom, processor] = plugins;
    Epoch { first, filter, input, output, custom, processor, config_map, def, api }
}

pub(crate) const EPOCHS: [Epoch; 17] = [
    epoch(Version(2, 0, 0), [72, 144, 200, 72, 0], 96, 32, 56),
    epoch(Version(2, 0, 1), [72, 144, 200, 72, 0], 96, 32, 56),
    epoch(Version(2, 0, 7), [72, 152, 208, 72, 0], 96, 32, 56),
    epoch(Version(2, 1, 0), [72, 152, 208, 72, 88], 96, 32, 56),
    epoch(Version(2, 2, 0), [80, 152, 208, 72, 88], 96, 32, 56),
    epoch(Version(3, 1, 0), [80, 152, 208, 72, 88], 96, 32, 56),
    epoch(Version(3, 1, 7), [80, 152, 208, 72, 88], 96, 32, 56),
    epoch(Version(3, 2, 0), [88, 160, 232, 72, 96], 96, 32, 56),
    epoch(Version(3, 2, 2), [88, 160, 280, 72, 96], 96, 32, 56),
    epoch(Version(3, 2, 3), [88, 208, 280, 72, 96], 96, 32, 56),
    epoch(Version(4, 0, 0), [88, 208, 280, 72, 104], 96, 32, 56),
    epoch(Version(4, 0, 3), [88, 208, 280, 96, 104], 96, 32, 72),
    epoch(Version(4, 1, 0), [88, 208, 280, 96, 104], 96, 32, 72),
    epoch(Version(4, 2, 3), [88, 208, 280, 96, 104], 96, 40, 72),
    epoch(Version(5, 0, 3), [88, 208, 280, 96, 104], 104, 40, 72),
    epoch(Version(5, 1, 0), [88, 232, 288, 96, 104], 104, 40, 72),
    epoch(Version(5, 1, 1), [88, 232, 288, 96, 104], 104, 48, 72),
];

/// How this release writes the events that it makes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventForm {
    /// `[time, map]`.
    Legacy,
    /// `[[time, metadata], map]` with 32-bit array headers throughout, as 3.2.10 writes.
    Wide,
    /// `[[time, metadata], map]` with the shortest headers, as 5.1.1 writes.
    Short,
}

/// A release: what the host pretends to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Release {
    pub(crate) version: Version,
    pub(crate) epoch: Epoch,
}

impl Release {
    pub(crate) fn new(version: Version) -> Self {
        let epoch = EPOCHS.iter().rev().find(|epoch| epoch.first <= version).unwrap_or(&EPOCHS[0]);
        Self { version, epoch: *epoch }
    }

    pub(crate) fn since(&self, major: u8, minor: u8, patch: u8) -> bool {
        self.version >= Version(major, minor, patch)
    }

    pub(crate) fn event_form(&self) -> EventForm {
        match self.version {
            v if v < Version(2, 1, 0) => EventForm::Legacy,
            v if v < Version(4, 1, 0) => EventForm::Wide,
            _ => EventForm::Short,
        }
    }

    /// The stack that a flush runs on.
    pub(crate) fn flush_stack(&self) -> usize {
        if self.since(5, 1, 0) { 64 * 1024 } else { 24 * 1024 }
    }
}
