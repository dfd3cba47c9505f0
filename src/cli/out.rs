//! Everything that is printed, and how numbers look.
//!
//! Always: a closed pipe ends the printing, not the work. Names come from other people's databases: what a terminal would obey in them
//! is shown escaped.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent, presets};
use qianyi::mask;
use serde::ser::SerializeMap;

/// Prints to standard output.
pub fn text(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(mask::visible_lines(text).as_bytes()).and_then(|()| out.flush());
}

/// Prints a line to standard output.
pub fn line(line: &str) {
    text(&format!("{line}\n"));
}

/// Prints to standard error.
pub fn error(text: &str) {
    coloured(&mask::visible_lines(text));
}

/// Prints to standard error a text with colours of our own, in which everything else is escaped already.
pub fn coloured(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Whether standard output has its one JSON document.
static PRINTED: AtomicBool = AtomicBool::new(false);

/// Prints the one JSON document of a command to standard output; it says its version.
pub fn json(value: &impl serde::Serialize) {
    // What is printed here are structs of counts and texts: they always have a JSON form.
    if let Ok(text) = serde_json::to_string_pretty(value) {
        PRINTED.store(true, Ordering::Relaxed);
        line(&text);
    }
}

/// Version of the forms that [`object`] and [`list`] print (docs/json.md).
const FORM: u32 = 1;

/// Prints a document whose struct has no version of its own.
pub fn object(value: &impl serde::Serialize) {
    #[derive(serde::Serialize)]
    struct Versioned<'a, T> {
        version: u32,
        #[serde(flatten)]
        of: &'a T,
    }
    json(&Versioned { version: FORM, of: value });
}

/// Prints a document that is one list under a name.
pub fn list(name: &str, value: &impl serde::Serialize) {
    struct Named<'a, T>(&'a str, &'a T);
    impl<T: serde::Serialize> serde::Serialize for Named<'_, T> {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            let mut map = to.serialize_map(Some(2))?;
            map.serialize_entry("version", &FORM)?;
            map.serialize_entry(self.0, self.1)?;
            map.end()
        }
    }
    json(&Named(name, value));
}

/// Prints an error as JSON: to standard output, or where that has its document already, to standard error.
pub fn json_error(value: &impl serde::Serialize) {
    if !PRINTED.load(Ordering::Relaxed) {
        json(value);
    } else if let Ok(text) = serde_json::to_string_pretty(value) {
        error(&format!("{text}\n"));
    }
}

/// `1234567` → `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// How a column of a table stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// A table as text.
pub fn table(head: &[(String, Align)], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    for line in [TableComponent::HorizontalLines, TableComponent::MiddleIntersections] {
        table.remove_style(line);
    }
    table.set_header(head.iter().map(|(name, _)| name.as_str()));
    rows.iter().for_each(|row| {
        table.add_row(row.iter().map(|cell| mask::visible(cell)));
    });
    for (i, (_, align)) in head.iter().enumerate() {
        if let Some(column) = table.column_mut(i) {
            column.set_cell_alignment(match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_grouped() {
        for (n, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(n), expected);
        }
    }
}
