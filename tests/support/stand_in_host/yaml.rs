//! The part of YAML that pipelines are written in: nested maps and lists by indentation, plain and quoted scalars.
//!
//! Invariant: what it does not know is an error with its line, never a guess.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Scalar(String),
    Map(Vec<(String, Node)>),
    List(Vec<Node>),
}

impl Node {
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(k, _)| k == key).map(|(_, node)| node)
    }

    pub(crate) fn entries(&self) -> &[(String, Node)] {
        if let Node::Map(entries) = self { entries } else { &[] }
    }

    pub(crate) fn items(&self) -> &[Node] {
        if let Node::List(items) = self { items } else { &[] }
    }

    pub(crate) fn text(&self) -> Result<&str, String> {
        if let Node::Scalar(text) = self { Ok(text) } else { Err(format!("{self:?} is not a plain value")) }
    }
}

/// A line that says something: its number, its indentation, the rest.
#[derive(Debug, Clone)]
struct Line {
    number: usize,
    indent: usize,
    text: String,
}

pub(crate) fn parse(text: &str) -> Result<Node, String> {
    let mut lines: Vec<Line> = text
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let line = without_comment(line).trim_end();
            let text = line.trim_start();
            Line { number: at + 1, indent: line.len() - text.len(), text: text.to_owned() }
        })
        .filter(|line| !line.text.is_empty() && line.text != "---")
        .collect();
    let node = block(&mut lines, 0)?;
    match lines.first() {
        None => Ok(node),
        Some(line) => {
            Err(format!("line {}: '{}' is indented in a way not known here", line.number, line.text))
        }
    }
}

fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if (c == '"' || c == '\'') && before.is_whitespace() => quote = Some(c),
            None if c == '#' && before.is_whitespace() => return &line[..at],
            None => {}
        }
        before = c;
    }
    line
}

/// Reads the lines at the indentation of the first one, if that is `least` or more.
fn block(lines: &mut Vec<Line>, least: usize) -> Result<Node, String> {
    let Some(first) = lines.first().filter(|line| line.indent >= least) else {
        return Ok(Node::Scalar(String::new()));
    };
    let indent = first.indent;
    let list = is_item(&first.text);
    let (mut items, mut entries) = (Vec::new(), Vec::new());
    while let Some(line) =
        lines.first().filter(|line| line.indent == indent && is_item(&line.text) == list).cloned()
    {
        if list {
            items.push(item(lines, &line)?);
            continue;
        }
        lines.remove(0);
        let (key, value) = pair(&line.text).ok_or(format!("line {}: no 'key: value' here", line.number))?;
        let node = match value {
            "" => {
                // A list may stand as far left as its key.
                let same = lines.first().is_some_and(|next| next.indent == indent && is_item(&next.text));
                block(lines, if same { indent } else { indent + 1 })?
            }
            value => scalar(value),
        };
        entries.push((key.to_owned(), node));
    }
    Ok(if list { Node::List(items) } else { Node::Map(entries) })
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

/// A list's item: what stands behind the dash is the first line of a block of its own.
fn item(lines: &mut Vec<Line>, line: &Line) -> Result<Node, String> {
    let rest = line.text[1..].trim_start();
    if rest.is_empty() {
        lines.remove(0);
        return block(lines, line.indent + 1);
    }
    if pair(rest).is_none() && !is_item(rest) {
        lines.remove(0);
        return Ok(scalar(rest));
    }
    let indent = line.indent + line.text.len() - rest.len();
    lines[0] = Line { number: line.number, indent, text: rest.to_owned() };
    block(lines, indent)
}

fn pair(text: &str) -> Option<(&str, &str)> {
    if text.starts_with(['"', '\'']) {
        return None;
    }
    let (key, value) = text.split_once(": ").or_else(|| text.strip_suffix(':').map(|key| (key, "")))?;
    Some((key.trim(), value.trim()))
}

fn scalar(text: &str) -> Node {
    let unquoted = [('"'), ('\'')]
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(text);
    Node::Scalar(unquoted.to_owned())
}
