//! Help pages in the layout of Docker's own, made from the one definition of each command.
//!
//! The option table follows pflag's `FlagUsagesWrapped` step by step, its odd corners included:
//! users compare our pages with those of `docker build`, and scripts cut them at columns.
//!
//! **Invariant:** pure; the same command and width give the same bytes.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command};

/// A line of the option table before it is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The letter after `-`.
    pub short: Option<char>,
    /// The name after `--`.
    pub long: String,
    /// The word for the kind of value; none for a switch.
    pub kind: Option<String>,
    /// What the flag does.
    pub help: String,
    /// The value that it has unless given.
    pub default: Option<String>,
}

/// The narrowest description that pflag puts beside its flag.
const NARROWEST: usize = 24;

/// How far a last line may overrun, lest a word stand alone.
const SLOP: usize = 5;

/// Where descriptions start that found no room beside their flag.
const BLOCK_INDENT: usize = 16;

/// The narrowest column of command names, as in `docker image --help`.
const NAME_COLUMN: usize = 12;

/// The whole help page of a command.
pub fn page(command: &Command, path: &str, width: usize) -> String {
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let mut page = format!("Usage:  {}\n\n{}\n", usage_line(command, path), about.trim_end());

    let rows: Vec<Row> = command.get_arguments().filter(|arg| is_shown(arg)).map(row).collect();
    if !rows.is_empty() {
        page += "\nOptions:\n";
        page += &options(&rows, width);
    }
    if command.has_subcommands() {
        page += "\nCommands:\n";
        page += &commands(command);
        // Writing to a String cannot fail.
        let _ = writeln!(page, "\nRun '{path} COMMAND --help' for more information on a command.");
    }
    page
}

/// How a command is called, without the word `Usage`.
pub fn usage_line(command: &Command, path: &str) -> String {
    let mut line = path.to_owned();
    if command.get_arguments().any(is_shown) {
        line += " [OPTIONS]";
    }
    if command.has_subcommands() {
        line += " COMMAND";
    }
    for arg in command.get_positionals() {
        let name = arg.get_value_names().and_then(|names| names.first());
        let name = name.map_or_else(|| arg.get_id().as_str(), |name| name.as_str());
        let many = matches!(arg.get_action(), ArgAction::Append);
        let shown = match (arg.is_required_set(), many) {
            (true, false) => format!(" {name}"),
            (true, true) => format!(" {name} [{name}...]"),
            (false, false) => format!(" [{name}]"),
            (false, true) => format!(" [{name}...]"),
        };
        line += &shown;
    }
    line
}

/// Lays out an option table for a terminal of `width` columns.
pub fn options(rows: &[Row], width: usize) -> String {
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort_by(|one, other| one.long.cmp(&other.long));
    let names: Vec<String> = rows.iter().map(|row| name(row)).collect();
    let longest = names.iter().map(String::len).max().unwrap_or_default();
    let column = longest + 3;
    // The last column stays free: some terminals wrap when it is written to.
    let width = width.saturating_sub(1);

    let mut table = String::new();
    for (row, name) in rows.iter().zip(&names) {
        let text = wrap(&description(row), column, width);
        let _ = writeln!(table, "{name:<column$}{text}");
    }
    table
}

fn is_shown(arg: &Arg) -> bool {
    !arg.is_positional() && !arg.is_hide_set()
}

fn row(arg: &Arg) -> Row {
    let takes_value = arg.get_action().takes_values();
    let kind = arg.get_value_names().and_then(|names| names.first());
    let default = arg.get_default_values().first().filter(|_| takes_value);
    Row {
        short: arg.get_short(),
        long: arg.get_long().unwrap_or_default().to_owned(),
        kind: kind.filter(|_| takes_value).map(ToString::to_string),
        help: arg.get_help().map(ToString::to_string).unwrap_or_default(),
        default: default.map(|value| value.to_string_lossy().into_owned()),
    }
}

fn commands(command: &Command) -> String {
    let mut found: Vec<&Command> =
        command.get_subcommands().filter(|sub| !sub.is_hide_set()).collect();
    found.sort_by_key(|sub| sub.get_name());
    let longest = found.iter().map(|sub| sub.get_name().len() + 1).max().unwrap_or_default();
    let column = longest.max(NAME_COLUMN);
    let mut list = String::new();
    for sub in found {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(list, "  {:<column$}{about}", sub.get_name());
    }
    list
}

fn name(row: &Row) -> String {
    let mut name = match row.short {
        Some(short) => format!("  -{short}, --{}", row.long),
        None => format!("      --{}", row.long),
    };
    if let Some(kind) = &row.kind {
        name.push(' ');
        name += kind;
    }
    name
}

fn description(row: &Row) -> String {
    match (&row.default, row.kind.as_deref()) {
        (Some(value), Some("string")) => format!("{} (default {value:?})", row.help),
        (Some(value), _) => format!("{} (default {value})", row.help),
        (None, _) => row.help.clone(),
    }
}

/// Breaks text into lines between `indent` and `width`; the first line is indented by the caller.
fn wrap(text: &str, indent: usize, width: usize) -> String {
    let beside = width.saturating_sub(indent);
    let (indent, room, mut wrapped) = if beside < NARROWEST {
        let block = format!("\n{}", " ".repeat(BLOCK_INDENT));
        (BLOCK_INDENT, width.saturating_sub(BLOCK_INDENT), block)
    } else {
        (indent, beside, String::new())
    };
    let margin = format!("\n{}", " ".repeat(indent));
    if room < NARROWEST {
        // Not even a block has room: the terminal may break lines as it likes.
        return text.replace('\n', &wrapped);
    }
    let (first, mut rest) = split_line(text, room - SLOP);
    wrapped += &first.replace('\n', &margin);
    while !rest.is_empty() {
        let line;
        (line, rest) = split_line(rest, room - SLOP);
        wrapped += &margin;
        wrapped += &line.replace('\n', &margin);
    }
    wrapped
}

/// Splits off one line of at most `room` columns, or `SLOP` more where that takes everything.
fn split_line(text: &str, room: usize) -> (&str, &str) {
    if room + SLOP > text.len() {
        return (text, "");
    }
    let head = &text[..text.floor_char_boundary(room)];
    match (head.rfind([' ', '\t', '\n']), head.rfind('\n')) {
        (None | Some(0), _) => (text, ""),
        (Some(space), Some(newline)) if 0 < newline && newline < space => {
            (&text[..newline], &text[newline + 1..])
        }
        (Some(space), _) => (&text[..space], &text[space + 1..]),
    }
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn narrow_terminals_get_blocks_and_then_whole_lines() {
        let row = Row {
            short: Some('t'),
            long: "tag".into(),
            kind: Some("stringArray".into()),
            help: "Name and optionally a tag (format: \"name:tag\")".into(),
            default: None,
        };
        let rows = [row];
        assert_eq!(
            options(&rows, 48),
            "  -t, --tag stringArray   \n                Name and optionally a tag\n                \
             (format: \"name:tag\")\n"
        );
        assert_eq!(
            options(&rows, 30),
            "  -t, --tag stringArray   Name and optionally a tag (format: \"name:tag\")\n"
        );
        assert_eq!(
            options(&rows, 200),
            "  -t, --tag stringArray   Name and optionally a tag (format: \"name:tag\")\n"
        );
    }

    #[test]
    fn a_usage_line_shows_what_must_be_given() {
        let many = |required| {
            let names = Arg::new("n").value_name("NAME").action(ArgAction::Append);
            Command::new("x").arg(names.required(required))
        };
        assert_eq!(usage_line(&many(true), "docker x"), "docker x NAME [NAME...]");
        assert_eq!(usage_line(&many(false), "docker x"), "docker x [NAME...]");
        let one = |required| Command::new("x").arg(Arg::new("NAME").required(required));
        assert_eq!(usage_line(&one(true), "docker x"), "docker x NAME");
        assert_eq!(usage_line(&one(false), "docker x"), "docker x [NAME]");
        let flag = many(false).arg(Arg::new("a").long("a").help("A"));
        assert_eq!(usage_line(&flag, "docker x"), "docker x [OPTIONS] [NAME...]");
    }
}
