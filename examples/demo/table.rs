//! A table for a terminal: aligned, as wide as the terminal, with what is too long cut and marked.

use std::{
    env,
    fmt::Write as _,
    io::{self, IsTerminal as _},
    process::{Command, Stdio},
};

const GAP: &str = "  ";
/// No column but the last gets narrower than this.
const NARROWEST: usize = 10;
/// The last column, which holds messages, gets at least this much of the width.
const MESSAGE_SHARE: f64 = 0.3;
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// Rows under a header.
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row of as many cells as the header has.
    pub(crate) fn push(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| on_one_line(cell)).collect());
    }

    /// The table in lines of at most `width`; unless `plain`, what repeats the row above is dim.
    pub(crate) fn render(&self, width: usize, plain: bool) -> String {
        let widths = self.widths(width);
        let mut text = String::new();
        let header =
            line(&self.header, &widths, |_, cell| if plain { cell } else { format!("{BOLD}{cell}{RESET}") });
        let total = widths.iter().sum::<usize>() + GAP.len() * (widths.len() - 1);
        let _ = writeln!(text, "{header}\n{}", "─".repeat(total));
        let mut above: Option<&Vec<String>> = None;
        for row in &self.rows {
            let repeats = |at: usize| above.is_some_and(|above| above[at] == row[at]) && at + 1 < row.len();
            let shown =
                line(
                    row,
                    &widths,
                    |at, cell| {
                        if plain || !repeats(at) { cell } else { format!("{DIM}{cell}{RESET}") }
                    },
                );
            let _ = writeln!(text, "{shown}");
            above = Some(row);
        }
        text
    }

    /// As wide as the widest cell, but narrowed, the widest first, until the message has its share.
    fn widths(&self, width: usize) -> Vec<usize> {
        let widest = |at: usize| {
            let cells = self.rows.iter().map(|row| row[at].chars().count());
            cells.chain([self.header[at].chars().count()]).max().unwrap_or_default()
        };
        let mut widths: Vec<usize> = (0..self.header.len()).map(widest).collect();
        let Some(message) = widths.pop() else { return widths };
        let gaps = GAP.len() * widths.len();
        let share = ((width as f64 * MESSAGE_SHARE) as usize).min(message);
        while widths.iter().sum::<usize>() + gaps + share > width {
            match widths.iter_mut().max() {
                Some(widest) if *widest > NARROWEST => *widest -= 1,
                _ => break,
            }
        }
        let left = width.saturating_sub(widths.iter().sum::<usize>() + gaps);
        widths.push(message.min(left.max(NARROWEST)));
        widths
    }
}

fn line(cells: &[String], widths: &[usize], style: impl Fn(usize, String) -> String) -> String {
    let cells = cells.iter().zip(widths).enumerate().map(|(at, (cell, &width))| {
        let last = at + 1 == widths.len();
        let shown = if last { cut(cell, width) } else { cut_in_the_middle(cell, width) };
        let padding = if last { 0 } else { width - shown.chars().count() };
        style(at, shown) + &" ".repeat(padding)
    });
    cells.collect::<Vec<_>>().join(GAP)
}

/// The text in at most `width` characters, with a mark where it was longer.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// As `cut`, but names of Kubernetes differ at their ends.
fn cut_in_the_middle(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let kept = width.saturating_sub(1);
    let end = kept / 2;
    let (start, end) = (name.chars().take(kept - end), name.chars().skip(length - end));
    start.chain(['…']).chain(end).collect()
}

/// Tabs and other controls would break the alignment.
fn on_one_line(text: &str) -> String {
    text.replace('\t', "    ").chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// How wide the terminal is; where there is none, wide enough for whoever reads the file.
pub(crate) fn terminal_width() -> usize {
    let told = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    told.or_else(|| io::stdout().is_terminal().then(asked_of_the_terminal).flatten()).unwrap_or(160).max(80)
}

/// `stty size` prints rows and columns of the terminal that it reads from.
fn asked_of_the_terminal() -> Option<usize> {
    let terminal = std::fs::File::open("/dev/tty").ok()?;
    let output = Command::new("stty").arg("size").stdin(Stdio::from(terminal)).output().ok()?;
    let size = String::from_utf8(output.stdout).ok()?;
    size.split_whitespace().nth(1)?.parse().ok()
}
