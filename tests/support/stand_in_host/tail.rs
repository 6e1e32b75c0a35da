//! `tail`: follows the files that a pattern names, 32 KiB at a time, through rotation and truncation.
//!
//! Serves the demo and the end-to-end tests. Invariant: an offset is remembered only when all before it was taken.

use std::{
    ffi::{CString, OsStr},
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::PathBuf,
    time::{Duration, Instant},
};

use regex::Regex;

use crate::{
    config::Section,
    lines::{Format, Lines},
    log,
    parser::Parser,
    readers::{Put, Reader},
    release::EventForm,
};

const READ: usize = 32 * 1024;
/// How many reads of one file may come in a row, so that the others get theirs.
const IN_A_ROW: usize = 8;

pub(crate) struct Tail {
    patterns: Vec<String>,
    tag: String,
    tag_regex: Option<Regex>,
    format: Format,
    form: EventForm,
    refresh: Duration,
    exit_on_eof: bool,
    /// Whether files that are there at the start are read from their beginning.
    from_head: bool,
    offsets: Option<PathBuf>,
    files: Vec<Followed>,
    scanned: Option<Instant>,
}

struct Followed {
    inode: u64,
    tag: String,
    file: File,
    /// All before it has become events that the engine took.
    taken: u64,
    /// All before it has been read.
    offset: u64,
    unfinished: Vec<u8>,
    lines: Lines,
    refused: Option<(Vec<u8>, usize)>,
    is_named: bool,
}

impl Tail {
    pub(crate) fn new(section: &Section, form: EventForm, parsers: &[Parser]) -> Result<Self, String> {
        let patterns = section.get("path").ok_or("tail: no path")?;
        let tag_regex = section.get("tag_regex").map(Regex::new).transpose();
        Ok(Self {
            patterns: patterns.split(',').map(|pattern| pattern.trim().to_owned()).collect(),
            tag: section.get("tag").unwrap_or("tail.0").to_owned(),
            tag_regex: tag_regex.map_err(|error| format!("tag_regex: {error}"))?,
            format: Format::of(section, parsers)?,
            form,
            refresh: section.seconds("refresh_interval", 1.0),
            exit_on_eof: section.is_on("exit_on_eof"),
            from_head: section.is_on("read_from_head"),
            offsets: section.get("db").map(PathBuf::from),
            files: Vec::new(),
            scanned: None,
        })
    }

    fn tag_of(&self, path: &str) -> String {
        let Some(regex) = &self.tag_regex else { return expand(&self.tag, path) };
        let Some(found) = regex.captures(path) else { return self.tag.clone() };
        regex.capture_names().flatten().fold(self.tag.clone(), |tag, name| {
            tag.replace(&format!("<{name}>"), found.name(name).map_or("_", |value| value.as_str()))
        })
    }

    /// Finds files that are new, and notes which are not there any more.
    fn scan(&mut self) {
        let first = self.scanned.is_none();
        self.scanned = Some(Instant::now());
        let known = self.remembered();
        let mut present = Vec::new();
        for path in self.patterns.iter().flat_map(|pattern| glob(pattern)) {
            let Ok(file) = File::open(&path) else { continue };
            let Ok(metadata) = file.metadata() else { continue };
            let inode = metadata.ino();
            present.push(inode);
            if !metadata.is_file() || self.files.iter().any(|followed| followed.inode == inode) {
                continue;
            }
            let remembered = known.iter().find(|(known, _)| *known == inode).map(|(_, offset)| *offset);
            let start = if first && !self.from_head { metadata.len() } else { 0 };
            let offset = remembered.unwrap_or(start);
            let path = path.to_string_lossy();
            log::debug(format_args!("[tail] follows {path} from {offset}"));
            self.files.push(Followed {
                inode,
                tag: self.tag_of(&path),
                file,
                taken: offset,
                offset,
                unfinished: Vec::new(),
                lines: Lines::new(&self.format, &path),
                refused: None,
                is_named: true,
            });
        }
        for followed in &mut self.files {
            followed.is_named = present.contains(&followed.inode);
        }
    }

    fn remembered(&self) -> Vec<(u64, u64)> {
        let text = self.offsets.as_ref().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        let pair =
            |line: &str| line.split_once(' ').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        text.lines().filter_map(pair).collect()
    }

    fn remember(&self) {
        let Some(path) = &self.offsets else { return };
        let text: String = self.files.iter().map(|file| format!("{} {}\n", file.inode, file.taken)).collect();
        let new = path.with_extension("new");
        if let Err(error) = fs::write(&new, text).and_then(|()| fs::rename(&new, path)) {
            log::error(format_args!("[tail] {}: {error}", path.display()));
        }
    }
}

impl Reader for Tail {
    fn every(&self) -> Duration {
        Duration::from_millis(50)
    }

    fn read(&mut self, put: Put<'_>) -> bool {
        if self.scanned.is_none_or(|scanned| scanned.elapsed() >= self.refresh) {
            self.scan();
        }
        let mut moved = false;
        let mut at_end = true;
        for file in &mut self.files {
            let before = file.taken;
            at_end &= file.follow(self.form, put);
            moved |= file.taken != before;
        }
        if moved {
            self.remember();
        }
        self.files.retain(|file| file.is_named || !file.is_read());
        if !self.exit_on_eof || !at_end {
            return true;
        }
        self.files.iter_mut().for_each(|file| file.finish(self.form, put));
        false
    }
}

impl Followed {
    fn is_read(&self) -> bool {
        self.refused.is_none() && self.file.metadata().is_ok_and(|metadata| metadata.len() <= self.offset)
    }

    /// Reads what is there; says whether it came to the end.
    fn follow(&mut self, form: EventForm, put: Put<'_>) -> bool {
        if let Some((batch, records)) = self.refused.take()
            && !self.offer(batch, records, put)
        {
            return false;
        }
        if self.file.metadata().is_ok_and(|metadata| metadata.len() < self.offset) {
            (self.offset, self.taken) = (0, 0);
            self.unfinished.clear();
        }
        for _ in 0..IN_A_ROW {
            let mut buffer = vec![0; READ];
            let read = self.file.seek(SeekFrom::Start(self.offset)).and_then(|_| self.file.read(&mut buffer));
            let count = read.unwrap_or_else(|error| {
                log::error(format_args!("[tail] {}: {error}", self.tag));
                0
            });
            if count == 0 {
                return true;
            }
            self.offset += count as u64;
            self.unfinished.extend_from_slice(&buffer[..count]);
            let (batch, records) = self.events(form);
            if !self.offer(batch, records, put) {
                return false;
            }
        }
        false
    }

    /// Makes events of the lines that are whole.
    fn events(&mut self, form: EventForm) -> (Vec<u8>, usize) {
        let (mut batch, mut records) = (Vec::new(), 0);
        let whole = self.unfinished.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = self.unfinished.split_off(whole);
        for line in std::mem::replace(&mut self.unfinished, rest).split(|byte| *byte == b'\n') {
            if let Some(event) = self.lines.read(line) {
                event.encode(form, &mut batch);
                records += 1;
            }
        }
        (batch, records)
    }

    /// Hands over what waits for lines that won't come.
    fn finish(&mut self, form: EventForm, put: Put<'_>) {
        let rest = self.lines.rest();
        let mut batch = Vec::new();
        rest.iter().for_each(|event| event.encode(form, &mut batch));
        self.offer(batch, rest.len(), put);
    }

    fn offer(&mut self, batch: Vec<u8>, records: usize, put: Put<'_>) -> bool {
        if !batch.is_empty() && !put(&self.tag, &batch, records) {
            self.refused = Some((batch, records));
            return false;
        }
        if self.lines.is_whole() {
            self.taken = self.offset - self.unfinished.len() as u64;
        }
        true
    }
}

/// Puts the path in for the star, with dots for slashes; dots in a row are one, and none is last.
fn expand(tag: &str, path: &str) -> String {
    let Some((before, after)) = tag.split_once('*') else { return tag.to_owned() };
    let mut expanded = String::new();
    for c in before.chars().chain(path.chars()).chain(after.chars()) {
        match c {
            '/' | '\\' | ':' | '.' if expanded.is_empty() || expanded.ends_with('.') => {}
            '/' | '\\' | ':' => expanded.push('.'),
            '*' => {}
            c => expanded.push(c),
        }
    }
    expanded.trim_end_matches('.').to_owned()
}

/// The files that a pattern names, in order.
fn glob(pattern: &str) -> Vec<PathBuf> {
    let Ok(pattern) = CString::new(pattern) else { return Vec::new() };
    let mut paths = Vec::new();
    // SAFETY: glob fills the struct, whose paths are C strings until globfree.
    unsafe {
        let mut found: libc::glob_t = std::mem::zeroed();
        if libc::glob(pattern.as_ptr(), 0, None, &mut found) == 0 {
            for at in 0..found.gl_pathc as usize {
                let path = std::ffi::CStr::from_ptr(*found.gl_pathv.add(at));
                paths.push(PathBuf::from(OsStr::from_bytes(path.to_bytes())));
            }
        }
        libc::globfree(&mut found);
    }
    paths
}
