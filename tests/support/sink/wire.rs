//! Reads the bodies that VictoriaLogs 1.52.1 takes, with the server's limits, and on purpose by other code than the
//! plugin's writes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    time::{SystemTime, UNIX_EPOCH},
};

use hyper::header::{CONTENT_ENCODING, HeaderMap};

use super::{
    Row,
    json::{Object, flatten},
};

const MAX_BODY: usize = 64 << 20;
const MAX_ROW: usize = 2 << 20;
const MAX_LINE: usize = (256 << 10) - 1;
const MAX_NAMES_PER_BLOCK: usize = 2000;

/// What a request brought. Rows that precede what can't be read are stored although the answer is 400.
#[derive(Default)]
pub(super) struct Pushed {
    pub(super) rows: Vec<Row>,
    pub(super) dropped: Vec<String>,
    pub(super) status: u16,
    /// The text of a refusal.
    pub(super) why: String,
    /// Why the server would end at this request.
    pub(super) fatal: Option<String>,
}

/// The text of a 400.
type Refused = String;

struct Params {
    /// `None` where the request names none: the labels are the stream then.
    stream_fields: Option<Vec<String>>,
    message_fields: Vec<String>,
    time_fields: Vec<String>,
    tenant: (u32, u32),
    /// Whether rows go on to storage nodes, in the native form.
    is_cluster: bool,
}

/// Reads a request.
pub(super) fn read(path: &str, query: &str, headers: &HeaderMap, body: &[u8], is_cluster: bool) -> Pushed {
    let mut pushed =
        Pushed { status: if path == "/insert/jsonline" { 200 } else { 204 }, ..Pushed::default() };
    if let Err(why) = read_into(&mut pushed, path, query, headers, body, is_cluster) {
        (pushed.status, pushed.why) = (400, why);
    }
    pushed.keep_what_a_block_holds();
    pushed
}

fn read_into(
    pushed: &mut Pushed,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &[u8],
    is_cluster: bool,
) -> Result<(), Refused> {
    let params = Params {
        stream_fields: list(query, "_stream_fields").filter(|names| !names.is_empty()),
        message_fields: list(query, "_msg_field").unwrap_or_default(),
        time_fields: list(query, "_time_field").unwrap_or_default(),
        tenant: (tenant(headers, "AccountID")?, tenant(headers, "ProjectID")?),
        is_cluster,
    };
    if let Some(name) = params.stream_fields.iter().flatten().find(|name| name.contains(['=', '}'])) {
        return Err(format!("cannot parse stream field names: the {name:?} cannot contain '=' or '}}' char"));
    }
    match path {
        "/insert/loki/api/v1/push" => {
            let plain = unpack(headers, body)?;
            if !query.contains("disable_message_parsing=1") {
                return Err("the sink does not parse messages".into());
            }
            loki(&plain, &params, pushed).ok_or_else(|| "cannot read Loki protobuf data".into())
        }
        "/insert/jsonline" => {
            // As the server: what can't be unpacked is lost behind a 200.
            jsonline(&unpack(headers, body).unwrap_or_default(), &params, pushed);
            Ok(())
        }
        _ => Err(format!("unsupported path requested: {path:?}")),
    }
}

fn tenant(headers: &HeaderMap, name: &str) -> Result<u32, Refused> {
    let Some(value) = headers.get(name) else { return Ok(0) };
    value.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(|| format!("cannot parse {name}"))
}

/// The names that a parameter lists.
fn list(query: &str, key: &str) -> Option<Vec<String>> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))?;
    let decoded = percent_decode(value);
    Some(decoded.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

fn percent_decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let hex: String = [bytes.next().unwrap(), bytes.next().unwrap()].map(char::from).iter().collect();
            out.push(u8::from_str_radix(&hex, 16).unwrap());
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).unwrap()
}

fn unpack(headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    let encoding = headers.get(CONTENT_ENCODING).map_or("", |value| value.to_str().unwrap_or("?"));
    match encoding {
        "" | "identity" | "none" => plain.extend_from_slice(body),
        "gzip" => {
            flate2::read::GzDecoder::new(body).read_to_end(&mut plain).map_err(|error| error.to_string())?;
        }
        "zstd" => {
            zstd::Decoder::new(body)
                .and_then(|mut decoder| {
                    decoder.window_log_max(23)?;
                    decoder.read_to_end(&mut plain)
                })
                .map_err(|error| error.to_string())?;
        }
        other => return Err(format!("unsupported encoding {other}")),
    }
    if plain.len() > MAX_BODY { Err("too big a request".into()) } else { Ok(plain) }
}

/// Splits off a protobuf field: its number and either bytes or a number.
fn field<'a>(data: &mut &'a [u8]) -> Option<(u64, &'a [u8], u64)> {
    let tag = varint(data)?;
    match tag & 7 {
        0 => Some((tag >> 3, &[], varint(data)?)),
        2 => {
            let len = varint(data)? as usize;
            let (bytes, rest) = data.split_at_checked(len)?;
            *data = rest;
            Some((tag >> 3, bytes, 0))
        }
        _ => None,
    }
}

fn varint(data: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = data.split_first()?;
        *data = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

fn loki(mut body: &[u8], params: &Params, pushed: &mut Pushed) -> Option<()> {
    while !body.is_empty() {
        let (1, mut stream, _) = field(&mut body)? else { continue };
        let mut labels = Vec::new();
        let mut entries = Vec::new();
        while !stream.is_empty() {
            match field(&mut stream)? {
                (1, bytes, _) => labels = parse_labels(std::str::from_utf8(bytes).ok()?)?,
                (2, bytes, _) => entries.push(bytes),
                _ => {}
            }
        }
        for mut entry in entries {
            let (mut time, mut message, mut fields) = (0, String::new(), labels.clone());
            while !entry.is_empty() {
                match field(&mut entry)? {
                    (1, mut bytes, _) => {
                        while !bytes.is_empty() {
                            match field(&mut bytes)? {
                                (1, _, seconds) => time += seconds as i64 * 1_000_000_000,
                                (2, _, nanos) => time += nanos as i64,
                                _ => {}
                            }
                        }
                    }
                    (2, bytes, _) => message = text(bytes)?,
                    (3, mut bytes, _) => {
                        let (mut name, mut value) = (String::new(), String::new());
                        while !bytes.is_empty() {
                            match field(&mut bytes)? {
                                (1, bytes, _) => name = text(bytes)?,
                                (2, bytes, _) => value = text(bytes)?,
                                _ => {}
                            }
                        }
                        fields.push((name, value));
                    }
                    _ => {}
                }
            }
            fields.push(("_msg".into(), message));
            pushed.add(if time == 0 { now() } else { time }, fields, params, labels.len());
        }
    }
    Some(())
}

/// Reads `{a="b",c="d"}` as the server does: a name goes up to the equals sign, a value is in Go's quotes.
pub fn parse_labels(labels: &str) -> Option<Vec<(String, String)>> {
    let mut rest = labels.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let mut value = String::new();
        let mut chars = after.strip_prefix('"')?.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at + 2,
                (_, '\\') => match chars.next()?.1 {
                    'n' => value.push('\n'),
                    plain @ ('"' | '\\') => value.push(plain),
                    _ => return None,
                },
                (_, '\n') => return None,
                (_, plain) => value.push(plain),
            }
        };
        fields.push((name.to_owned(), value));
        rest = &after[end..];
        if !rest.is_empty() {
            rest = rest.strip_prefix(',')?;
        }
    }
    Some(fields)
}

fn jsonline(body: &[u8], params: &Params, pushed: &mut Pushed) {
    for line in body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        if line.len() > MAX_LINE {
            pushed.dropped.push(format!("line of {} bytes", line.len()));
            continue;
        }
        let Ok(object) = serde_json::from_slice::<Object>(line) else {
            pushed.dropped.push("line that is no JSON object".into());
            continue;
        };
        let mut fields = Vec::new();
        flatten("", object, &mut fields);
        let place = fields.iter().position(|(name, _)| params.time_fields.contains(name));
        let Some(time) = place.and_then(|place| std::mem::take(&mut fields[place].1).parse().ok()) else {
            pushed.dropped.push("line without an integer time".into());
            continue;
        };
        if let Some(place) =
            fields.iter().position(|(name, value)| params.message_fields.contains(name) && !value.is_empty())
        {
            fields[place].0 = "_msg".into();
        }
        pushed.add(time, fields, params, 0);
    }
}

impl Pushed {
    /// Of a request that waited in vain for its turn.
    pub(super) fn of_no_turn(path: &str) -> Self {
        let status = if path == "/insert/jsonline" { 200 } else { 503 };
        Self { status, why: "cannot process insert request".into(), ..Self::default() }
    }

    /// Keeps a row, unless the server would drop it without a word. The first `labels` fields are labels.
    fn add(&mut self, time: i64, fields: Vec<(String, String)>, params: &Params, labels: usize) {
        let size = 48 + fields.iter().map(|(name, value)| 6 + name.len() + value.len()).sum::<usize>();
        let why = if fields.len() > 1000 {
            Some(format!("{} fields", fields.len()))
        } else if let Some((name, _)) = fields.iter().find(|(name, _)| name.len() > 128) {
            Some(format!("name of {} bytes", name.len()))
        } else if size > MAX_ROW {
            Some(format!("row of {size} bytes"))
        } else {
            None
        };
        if let Some(why) = why {
            return self.dropped.push(why);
        }
        let (mut kept, mut stream) = (BTreeMap::new(), BTreeMap::new());
        let mut twice = None;
        for (at, (name, value)) in fields.into_iter().enumerate().filter(|(_, (_, value))| !value.is_empty())
        {
            let name = if name.is_empty() { "_msg".to_owned() } else { name };
            let is_of_stream = match &params.stream_fields {
                Some(names) => names.contains(&name),
                None => at < labels,
            };
            if is_of_stream && stream.insert(name.clone(), value.clone()).is_some() {
                twice = Some(format!("a row has the stream field {name:?} twice"));
            }
            if let Some(former) = kept.insert(name.clone(), value) {
                self.dropped.push(format!("field {name} given twice, {former:?} lost"));
            }
        }
        kept.entry("_msg".into()).or_insert_with(|| "missing _msg field".into());
        if params.is_cluster && (twice.is_some() || native_size(&kept, &stream) > MAX_ROW) {
            return self.dropped.push(twice.unwrap_or_else(|| "row too large for a cluster".into()));
        }
        self.fatal = self.fatal.take().or(twice);
        self.rows.push(Row { stream, time, fields: kept, tenant: params.tenant });
    }

    /// Drops what the server drops of a stream's block, here the rows of one request in the order of time: once a row
    /// would take the block's names beyond their limit, this row and all that follow.
    fn keep_what_a_block_holds(&mut self) {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_key(|&at| self.rows[at].time);
        let mut blocks: BTreeMap<_, Block> = BTreeMap::new();
        let mut vanished = BTreeSet::new();
        for at in order {
            let row = &self.rows[at];
            let block = blocks.entry((&row.stream, row.tenant)).or_default();
            if block.is_full || block.names.len() + row.fields.len() > MAX_NAMES_PER_BLOCK {
                block.is_full = true;
                vanished.insert(at);
            } else {
                block.names.extend(row.fields.keys());
            }
        }
        let mut at = 0..;
        self.rows.retain(|_| at.next().is_some_and(|at| !vanished.contains(&at)));
        let rule = format!("row beyond {MAX_NAMES_PER_BLOCK} names of its stream's block");
        self.dropped.extend(vanished.iter().map(|_| rule.clone()));
    }
}

/// The names of a stream's block.
#[derive(Default)]
struct Block<'r> {
    names: BTreeSet<&'r String>,
    is_full: bool,
}

/// The size of a row on its way to a storage node: tenant, stream, time, and all fields, those of the stream again.
fn native_size(fields: &BTreeMap<String, String>, stream: &BTreeMap<String, String>) -> usize {
    let counted = |bytes: usize| bytes + 1 + (bytes.max(1).ilog2() / 7) as usize;
    let size = |fields: &BTreeMap<String, String>| {
        let name = |name: &str| if name == "_msg" { 0 } else { name.len() };
        let pairs = fields.iter().map(|(key, value)| counted(name(key)) + counted(value.len()));
        counted(fields.len()) - fields.len() + pairs.sum::<usize>()
    };
    8 + counted(size(stream)) + 8 + size(fields)
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64
}
