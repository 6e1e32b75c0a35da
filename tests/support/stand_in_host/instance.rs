//! An instance of a plugin as the host knows it, and what the exported functions do with one.
//!
//! Invariant: a plugin holds a pointer to the [`Block`] of an [`Instance`], which outlives its exit callback.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_long, c_void},
    mem::offset_of,
    ptr::{self, NonNull},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicPtr, Ordering},
    },
    time::Duration,
};

use crate::{
    config::Section,
    input::{Collect, Feed, Trigger},
    log::{self, Level},
    properties::Properties,
    release::{Release, Version},
    state::State,
    sys,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Input,
    Filter,
    Output,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Input => "input",
            Kind::Filter => "filter",
            Kind::Output => "output",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Kind::Input, Kind::Filter, Kind::Output].into_iter().find(|kind| kind.word() == word)
    }

    /// The keys that the host keeps to itself: plugins can't read them.
    pub(crate) fn core_keys(self) -> &'static [&'static str] {
        match self {
            Kind::Input => &[
                "name",
                "alias",
                "log_level",
                "tag",
                "threaded",
                "mem_buf_limit",
                "storage.type",
                "routable",
            ],
            Kind::Filter => &["name", "alias", "log_level", "match", "match_regex"],
            Kind::Output => &[
                "name",
                "alias",
                "log_level",
                "match",
                "match_regex",
                "retry_limit",
                "workers",
                "host",
                "port",
                "ipv6",
                "tls",
                "storage.total_limit_size",
            ],
        }
    }

    fn owns(self, key: &str) -> bool {
        let key = key.to_ascii_lowercase();
        let prefixed = self == Kind::Output && (key.starts_with("tls.") || key.starts_with("net."));
        prefixed || self.core_keys().contains(&key.as_str())
    }
}

/// What stands in the words of an instance that hold something else in the real host.
const NOT_A_LEVEL: i32 = 0x5a5a_5a5a;

/// What a plugin's pointer points to: a block of malloc, as in the real host, zeroed. Plugins find there the config, and
/// in that of a filter its level, name, plugin and metrics; behind all that the real host has lies the way back.
const BLOCK: usize = 256;
const BACK: usize = BLOCK - size_of::<usize>();
/// Where the config of an input or an output lies: plugins look for it, in any word.
const CONFIG: usize = 24;
/// Where the list of properties begins, behind all else of any kind.
const PROPERTIES: usize = BACK - 2 * size_of::<usize>();

/// Where a filter's block has what plugins may read.
struct Places {
    level: usize,
    name: usize,
    alias: usize,
    plugin: usize,
    cmt: usize,
    config: usize,
}

macro_rules! places {
    ($layout:ident) => {
        Places {
            level: offset_of!(sys::$layout, log_level),
            name: offset_of!(sys::$layout, name),
            alias: offset_of!(sys::$layout, alias),
            plugin: offset_of!(sys::$layout, p),
            cmt: offset_of!(sys::$layout, cmt),
            config: offset_of!(sys::$layout, config),
        }
    };
}

impl Places {
    fn of(release: &Release) -> Self {
        match release.version {
            version if version < Version(2, 1, 0) => places!(flb_filter_instance_184),
            version if version < Version(2, 1, 4) => places!(flb_filter_instance_192),
            version if version < Version(3, 2, 0) => places!(flb_filter_instance_200),
            _ => places!(flb_filter_instance_216),
        }
    }
}

/// A block that nobody else has yet.
#[derive(Clone, Copy)]
struct Block(NonNull<u8>);

impl Block {
    fn new() -> Self {
        // SAFETY: takes no memory of ours.
        let made = unsafe { libc::calloc(1, BLOCK) };
        Self(NonNull::new(made.cast()).expect("memory for an instance"))
    }

    fn put<T>(self, at: usize, value: T) {
        assert!(at + size_of::<T>() <= BLOCK, "within the block");
        // SAFETY: within the block, which is aligned for any word, as `at` is for `T`.
        unsafe { self.0.byte_add(at).cast::<T>().write(value) };
    }
}

/// An instance.
pub(crate) struct Instance {
    block: Block,
    pub(crate) name: CString,
    /// As plugins are told: within the block where a filter has no alias.
    told_name: *const c_char,
    /// The host's copy of the plugin's struct, as far as it is read.
    _copy: Box<[*const c_char; 2]>,
    _plugin_name: CString,
    pub(crate) plugin: String,
    pub(crate) level: Level,
    /// All keys, the host's own included.
    pub(crate) section: Section,
    pub(crate) state: Arc<State>,
    /// What an input has beyond.
    pub(crate) feed: Option<Feed>,
    context: AtomicPtr<c_void>,
    readable: Properties,
    /// What the plugin set itself.
    set: Mutex<Vec<(String, String)>>,
    wants_threads: AtomicBool,
}

// SAFETY: the block is written before the instance is shared, and freed with it.
unsafe impl Send for Instance {}
// SAFETY: as above; all else that changes is atomic or locked.
unsafe impl Sync for Instance {}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: the block is of malloc, and no plugin holds it any more.
        unsafe { libc::free(self.block.0.as_ptr().cast()) };
    }
}

impl Instance {
    pub(crate) fn new(
        kind: Kind,
        section: Section,
        number: usize,
        feed: Option<Feed>,
        state: &Arc<State>,
    ) -> Arc<Self> {
        let plugin = section.name().to_ascii_lowercase();
        let name = section.get("alias").map_or_else(|| format!("{plugin}.{number}"), str::to_owned);
        let level = section.get("log_level").and_then(Level::from_word).unwrap_or_else(log::level);
        let block = Block::new();
        let (readable, list) = Properties::new(
            section.properties.iter().filter(|(key, _)| !kind.owns(key)),
            block.0.as_ptr() as usize + PROPERTIES,
        );
        block.put(PROPERTIES, list);
        let name = CString::new(name).unwrap_or_default();
        let plugin_name = CString::new(plugin.as_str()).unwrap_or_default();
        let copy = Box::new([ptr::null(), plugin_name.as_ptr()]);
        let mut told_name = name.as_ptr();
        block.put(0, [NOT_A_LEVEL; 4]);
        if kind == Kind::Filter {
            let places = Places::of(&state.release);
            block.put(places.level, level as i32);
            let own = format!("{plugin}.{number}");
            let mut room = [0_u8; 32];
            room[..own.len().min(31)].copy_from_slice(&own.as_bytes()[..own.len().min(31)]);
            block.put(places.name, room);
            match section.get("alias") {
                Some(_) => block.put(places.alias, told_name),
                None => told_name = block.0.as_ptr().wrapping_add(places.name).cast(),
            }
            block.put(places.plugin, copy.as_ptr());
            block.put(places.config, state.config());
        } else {
            block.put(CONFIG, state.config());
        }
        let instance = Arc::new(Self {
            block,
            name,
            told_name,
            _copy: copy,
            _plugin_name: plugin_name,
            plugin,
            level,
            section,
            state: Arc::clone(state),
            feed,
            context: AtomicPtr::new(ptr::null_mut()),
            readable,
            set: Mutex::default(),
            wants_threads: AtomicBool::new(false),
        });
        block.put(BACK, Arc::as_ptr(&instance));
        instance
    }

    /// Gives a filter its metrics, before its init.
    pub(crate) fn hold_metrics(&self, metrics: *mut sys::cmt) {
        self.block.put(Places::of(&self.state.release).cmt, metrics);
    }

    /// Whether the plugin asked for its workers itself.
    pub(crate) fn wants_threads(&self) -> bool {
        self.wants_threads.load(Ordering::Acquire)
    }

    /// As the plugin holds it.
    pub(crate) fn as_ptr<T>(&self) -> *mut T {
        self.block.0.as_ptr().cast()
    }

    pub(crate) fn name(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }

    pub(crate) fn context(&self) -> *mut c_void {
        self.context.load(Ordering::Acquire)
    }

    /// The properties that the plugin's config map must know.
    pub(crate) fn plugin_keys(&self) -> impl Iterator<Item = &str> {
        self.readable.keys()
    }

    /// A key of the host's own that the plugin set, else what the operator wrote.
    pub(crate) fn core(&self, key: &str) -> Option<String> {
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let set = set.iter().rev().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, value)| value.clone());
        set.or_else(|| self.section.get(key).map(str::to_owned))
    }
}

/// Gives back the instance behind a plugin's pointer.
unsafe fn instance<'a>(pointer: *mut c_void) -> &'a Instance {
    // SAFETY: plugins only have pointers that `as_ptr` gave, and only while the instance lives.
    unsafe { &*pointer.byte_add(BACK).cast::<*const Instance>().read() }
}

pub(crate) unsafe extern "C" fn get_property(key: *const c_char, pointer: *mut c_void) -> *const c_char {
    // SAFETY: as the caller promises: a C string and an instance.
    let (key, instance) = unsafe { (CStr::from_ptr(key).to_string_lossy(), instance(pointer)) };
    instance.readable.get(&key)
}

pub(crate) unsafe extern "C" fn name(pointer: *mut c_void) -> *const c_char {
    // SAFETY: as the caller promises.
    unsafe { instance(pointer) }.told_name
}

pub(crate) unsafe extern "C" fn set_context(pointer: *mut c_void, context: *mut c_void) {
    // SAFETY: as the caller promises.
    unsafe { instance(pointer) }.context.store(context, Ordering::Release);
}

pub(crate) unsafe extern "C" fn set_property(
    pointer: *mut c_void,
    key: *const c_char,
    value: *const c_char,
) -> c_int {
    // SAFETY: as the caller promises: an instance and two C strings.
    let (instance, key, value) = unsafe {
        (instance(pointer), CStr::from_ptr(key).to_string_lossy(), CStr::from_ptr(value).to_string_lossy())
    };
    let mut set = instance.set.lock().unwrap_or_else(PoisonError::into_inner);
    set.push((key.into_owned(), value.into_owned()));
    0
}

pub(crate) unsafe extern "C" fn enable_threads(pointer: *mut c_void) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { instance(pointer) }.wants_threads.store(true, Ordering::Release);
    0
}

pub(crate) unsafe extern "C" fn log_check(pointer: *mut c_void, level: c_int) -> c_int {
    // SAFETY: as the caller promises.
    c_int::from(unsafe { instance(pointer) }.level >= Level::from_number(level))
}

pub(crate) unsafe extern "C" fn collect_by_time(
    pointer: *mut c_void,
    collect: sys::flb_input_cb,
    seconds: c_long,
    nanoseconds: c_long,
) -> c_int {
    let every = Duration::new(seconds as u64, nanoseconds as u32);
    // SAFETY: as the caller promises.
    unsafe { add_collector(pointer, Trigger::Every(every), collect) }
}

pub(crate) unsafe extern "C" fn collect_by_event(
    pointer: *mut c_void,
    collect: sys::flb_input_cb,
    fd: c_int,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { add_collector(pointer, Trigger::Readable(fd), collect) }
}

unsafe fn add_collector(pointer: *mut c_void, trigger: Trigger, collect: sys::flb_input_cb) -> c_int {
    // SAFETY: as the caller promises.
    let instance = unsafe { instance(pointer) };
    let (Some(collect), Some(feed)) = (collect, &instance.feed) else { return -1 };
    let call: Collect = Arc::new(move |instance| {
        // SAFETY: the plugin's own callback with what it was promised; called by the thread that runs the input.
        unsafe { collect(instance.as_ptr(), instance.state.config(), instance.context()) };
    });
    feed.add(trigger, call)
}

pub(crate) unsafe extern "C" fn append(
    pointer: *mut c_void,
    records: usize,
    tag: *const c_char,
    tag_len: usize,
    data: *const c_void,
    size: usize,
) -> c_int {
    // SAFETY: as the caller promises: an instance, a tag of that length or none, data of that size.
    let (instance, tag, data) = unsafe {
        let tag =
            (!tag.is_null() && tag_len > 0).then(|| std::slice::from_raw_parts(tag.cast::<u8>(), tag_len));
        (instance(pointer), tag, std::slice::from_raw_parts(data.cast::<u8>(), size))
    };
    let Some(feed) = &instance.feed else { return -1 };
    let tag = tag.map_or_else(|| feed.tag.clone(), |tag| String::from_utf8_lossy(tag).into_owned());
    if feed.append(&instance.name(), &tag, data, records) { 0 } else { -1 }
}
