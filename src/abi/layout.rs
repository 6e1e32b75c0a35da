//! Whether the host's structs are laid out as their size says: asked of a built-in plugin of the same host.
//!
//! Serves `host`. A size names a layout, but a release to come may move a field and keep the size. Invariant: a layout is
//! believed only where name, callbacks and option rows of the built-in stand in its places; nothing is called.

use std::{
    ffi::{CStr, c_void},
    mem::offset_of,
    ptr::NonNull,
};

use super::{elf, memory::Memory, sys};

/// A built-in plugin: its symbol, and its name.
type BuiltIn = (&'static CStr, &'static CStr);

const FILTERS: [BuiltIn; 3] = [
    (c"filter_grep_plugin", c"grep"),
    (c"filter_modify_plugin", c"modify"),
    (c"filter_stdout_plugin", c"stdout"),
];
const INPUTS: [BuiltIn; 3] =
    [(c"in_dummy_plugin", c"dummy"), (c"in_emitter_plugin", c"emitter"), (c"in_lib_plugin", c"lib")];

/// The struct of one kind of plugins, as a built-in shows it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Layout {
    /// In bytes; none where the host has no built-in that we know.
    pub(super) size: Option<usize>,
    /// Whether the built-in's fields stand where a struct of this size has them.
    pub(super) agrees: bool,
}

impl Layout {
    /// The size, where the layout is known.
    pub(super) fn known(self) -> Option<usize> {
        self.size.filter(|_| self.agrees)
    }
}

/// Where a struct has what a built-in can show, in bytes.
struct Places {
    size: usize,
    name: usize,
    map: usize,
    callbacks: [usize; 2],
}

macro_rules! places {
    ($($size:literal => $struct:ident,)*) => {
        [$(Places {
            size: $size,
            name: offset_of!(sys::$struct, name),
            map: offset_of!(sys::$struct, config_map),
            callbacks: [offset_of!(sys::$struct, cb_init), offset_of!(sys::$struct, cb_exit)],
        }),*]
    };
}

const FILTER_PLACES: [Places; 3] =
    places! { 72 => flb_filter_plugin_72, 80 => flb_filter_plugin_80, 88 => flb_filter_plugin_88, };
const INPUT_PLACES: [Places; 5] = places! {
    144 => flb_input_plugin_144,
    152 => flb_input_plugin_152,
    160 => flb_input_plugin_160,
    208 => flb_input_plugin_208,
    232 => flb_input_plugin_232,
};

/// The layout of the host's filters, whose option rows take `stride` bytes.
pub(super) fn of_filters(stride: usize) -> Layout {
    look(&FILTERS, &FILTER_PLACES, stride)
}

/// The layout of the host's inputs.
pub(super) fn of_inputs(stride: usize) -> Layout {
    look(&INPUTS, &INPUT_PLACES, stride)
}

fn look(built_ins: &[BuiltIn], layouts: &[Places], stride: usize) -> Layout {
    let found = built_ins.iter().find_map(|(symbol, name)| Some((symbol, name, elf::symbol_size(symbol)?)));
    let Some((symbol, name, size)) = found else { return Layout::default() };
    let places = layouts.iter().find(|places| places.size == size);
    let agrees = places.zip(elf::symbol(symbol)).is_some_and(|(places, at)| {
        Memory::open().is_some_and(|memory| shows(memory, at, places, name, stride).is_some())
    });
    Layout { size: Some(size), agrees }
}

/// Whether the built-in at `at` has what its name says, and nothing else, in these places.
fn shows(mut memory: Memory, at: NonNull<c_void>, places: &Places, name: &CStr, stride: usize) -> Option<()> {
    let (base, object) = (at.as_ptr().expose_provenance(), elf::object_of(at.as_ptr().addr())?);
    let mut word = |place: usize| memory.read::<1>(base + place).map(|[word]| word);
    let is_own = |address: usize| elf::object_of(address) == Some(object);
    let text = word(places.name).filter(|text| is_own(*text))?;
    for callback in places.callbacks {
        word(callback).filter(|callback| is_own(*callback) && *callback != text)?;
    }
    let map = word(places.map).filter(|map| is_own(*map))?;
    is_text(&mut memory, text, name)?;
    // The first two rows: each has a small number for its type and a name; after the last comes one without a name.
    for row in [map, map + stride] {
        let [kind, key] = memory.read::<2>(row)?;
        let kind = kind & 0xffff_ffff;
        let ends = row != map && key == 0;
        (ends || (kind < 64 && is_own(key))).then_some(())?;
    }
    Some(())
}

/// Whether `text` stands at an address of the host's.
fn is_text(memory: &mut Memory, address: usize, text: &CStr) -> Option<()> {
    let bytes = text.to_bytes_with_nul();
    let start = address & !7;
    let [one, two] = memory.read::<2>(start)?;
    let words = [one.to_ne_bytes(), two.to_ne_bytes()].concat();
    (words.get(address - start..)?.get(..bytes.len())? == bytes).then_some(())
}
