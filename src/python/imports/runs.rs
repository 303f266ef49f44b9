//! Which programs and database drivers a source file names.
//!
//! **Invariant:** only what is written as a literal, at a place that runs a program or as the name
//! of a driver, is told; a word that merely looks like a program is not.

use std::collections::BTreeMap;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Arguments, Expr, ExprCall, FStringPart, InterpolatedStringElement, Stmt};
use ruff_text_size::Ranged;

use super::names::Names;
use crate::python::source::Source;

/// Something outside of Python that a source file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// What it is.
    pub what: Outside,
    /// Its name.
    pub name: String,
    /// Counted from 1.
    pub line: usize,
    /// Whether it stands in a class, or in a function with a decorator, as tasks and flows have:
    /// what else stands in a flow script may be for building its image alone.
    pub is_in_task: bool,
}

/// Kinds of things outside of Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outside {
    /// A program on PATH.
    Program,
    /// A driver of ODBC, by the name that it is registered under.
    OdbcDriver,
}

/// One of these is in every source that names such a thing.
const MARKS: [&str; 10] = [
    "subprocess",
    "os.system",
    "popen",
    "which",
    "exec",
    "spawn",
    "shell",
    "Shell",
    "system",
    "river",
];

/// Stands for the part of a text that only a run could tell.
const UNKNOWN: char = '\u{0}';
/// Words that stand in front of a program that they run.
const PREFIXES: [&str; 15] = [
    "!", "command", "do", "elif", "else", "env", "exec", "if", "nice", "nohup", "sudo", "then",
    "time", "until", "while",
];

/// Programs and drivers of a source file, each once, in order.
pub(super) fn mentions(text: &str, source: &Source, names: &Names<'_>) -> Vec<Mention> {
    if !MARKS.iter().any(|mark| text.contains(mark)) {
        return Vec::new();
    }
    let mut bound = Bound(BTreeMap::new());
    bound.visit_body(source.body());
    let mut runs = Runs { source, names, bound: &bound.0, tasks: 0, found: Vec::new() };
    runs.visit_body(source.body());
    runs.found
}

/// Names that an assignment binds, with what it binds them to.
struct Bound<'a>(BTreeMap<&'a str, &'a Expr>);

impl<'a> Visitor<'a> for Bound<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    if let Expr::Name(name) = target {
                        self.0.insert(name.id.as_str(), &assign.value);
                    }
                }
            }
            Stmt::AnnAssign(assign) => {
                if let (Expr::Name(name), Some(value)) = (&*assign.target, &assign.value) {
                    self.0.insert(name.id.as_str(), value);
                }
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}

struct Runs<'a> {
    source: &'a Source,
    names: &'a Names<'a>,
    bound: &'a BTreeMap<&'a str, &'a Expr>,
    /// Classes and decorated functions that it is in.
    tasks: usize,
    found: Vec<Mention>,
}

impl<'a> Runs<'a> {
    fn add(&mut self, what: Outside, name: &str, line: usize) {
        let is_in_task = self.tasks > 0;
        let known = |mention: &&mut Mention| mention.what == what && mention.name == name;
        match self.found.iter_mut().find(known) {
            Some(mention) => mention.is_in_task |= is_in_task,
            None => self.found.push(Mention { what, name: name.to_owned(), line, is_in_task }),
        }
    }

    fn program(&mut self, word: &str, line: usize) {
        let name = word.rsplit('/').next().unwrap_or(word);
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        let is_local = word.starts_with('.') || word.contains(UNKNOWN);
        if !is_local && !name.starts_with('-') && !name.is_empty() && name.chars().all(is_name) {
            self.add(Outside::Program, name, line);
        }
    }

    fn command_line(&mut self, text: &str, line: usize) {
        for word in first_words(text) {
            self.program(&word, line);
        }
    }

    /// What a name was bound to, or the expression itself.
    fn behind(&self, expression: &'a Expr) -> &'a Expr {
        match expression {
            Expr::Name(name) => self.bound.get(name.id.as_str()).copied().unwrap_or(expression),
            _ => expression,
        }
    }

    /// Arguments of a program: the first of a list, or a text.
    fn arguments(&mut self, expression: &'a Expr, line: usize, is_shell: bool) {
        match self.behind(expression) {
            Expr::List(list) => self.first_of(&list.elts, line),
            Expr::Tuple(tuple) => self.first_of(&tuple.elts, line),
            // `["ffmpeg", "-i"] + files`.
            Expr::BinOp(sum) if !is_shell && matches!(*sum.left, Expr::List(_)) => {
                self.arguments(&sum.left, line, false);
            }
            // `shlex.split("ffmpeg -i x")`.
            Expr::Call(call) if self.is_call_of(call, "shlex.split") => {
                if let Some(text) = call.arguments.args.first() {
                    self.arguments(text, line, true);
                }
            }
            other => {
                let Some(text) = known_text(other) else { return };
                if is_shell {
                    self.command_line(&text, line);
                } else {
                    self.program(&text, line);
                }
            }
        }
    }

    fn first_of(&mut self, items: &'a [Expr], line: usize) {
        if let Some(text) = items.first().and_then(|first| known_text(self.behind(first))) {
            self.program(&text, line);
        }
    }

    fn is_call_of(&self, call: &ExprCall, name: &str) -> bool {
        self.names.qualified(&call.func).as_deref() == Some(name)
    }

    fn call(&mut self, call: &'a ExprCall) {
        let Some(name) = self.names.qualified(&call.func) else { return };
        let line = self.source.line(call.range());
        let arguments = &call.arguments;
        match name.as_str() {
            "subprocess.run"
            | "subprocess.call"
            | "subprocess.check_call"
            | "subprocess.check_output"
            | "subprocess.Popen" => {
                let is_shell = has_true(arguments, "shell");
                if let Some(first) = arguments.find_argument_value("args", 0) {
                    self.arguments(first, line, is_shell);
                }
            }
            "subprocess.getoutput"
            | "subprocess.getstatusoutput"
            | "os.system"
            | "os.popen"
            | "asyncio.create_subprocess_shell"
            | "asyncio.subprocess.create_subprocess_shell" => {
                self.first_argument(arguments, &["cmd", "command"], line, true);
            }
            "shutil.which"
            | "asyncio.create_subprocess_exec"
            | "asyncio.subprocess.create_subprocess_exec"
            | "os.execlp"
            | "os.execlpe"
            | "os.execvp"
            | "os.execvpe" => {
                self.first_argument(arguments, &["cmd", "program", "file"], line, false);
            }
            "os.spawnlp" | "os.spawnlpe" | "os.spawnvp" | "os.spawnvpe" => {
                if let Some(program) = arguments.args.get(1) {
                    self.arguments(program, line, false);
                }
            }
            _ => match name.rsplit('.').next().unwrap_or_default() {
                // Prefect 1 and prefect-shell.
                "ShellTask" if name.starts_with("prefect.") => {
                    self.first_argument(arguments, &["command"], line, true);
                }
                "shell_run_command" => self.first_argument(arguments, &["command"], line, true),
                "ShellOperation" => {
                    if let Some(commands) = arguments.find_argument_value("commands", 0)
                        && let Expr::List(list) = self.behind(commands)
                    {
                        for command in &list.elts {
                            self.arguments(command, line, true);
                        }
                    }
                }
                _ => {}
            },
        }
    }

    fn first_argument(
        &mut self,
        arguments: &'a Arguments,
        names: &[&str],
        line: usize,
        is_shell: bool,
    ) {
        let by_name = || names.iter().find_map(|name| Some(&arguments.find_keyword(name)?.value));
        if let Some(first) = arguments.args.first().or_else(by_name) {
            self.arguments(first, line, is_shell);
        }
    }
}

impl<'a> Visitor<'a> for Runs<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let is_task = match statement {
            Stmt::ClassDef(_) => true,
            Stmt::FunctionDef(function) => !function.decorator_list.is_empty(),
            _ => false,
        };
        self.tasks += usize::from(is_task);
        visitor::walk_stmt(self, statement);
        self.tasks -= usize::from(is_task);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Call(call) => self.call(call),
            Expr::StringLiteral(_) | Expr::FString(_) => {
                let text = known_text(expression).unwrap_or_default();
                for driver in drivers(&text) {
                    self.add(Outside::OdbcDriver, &driver, self.source.line(expression.range()));
                }
            }
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }
}

fn has_true(arguments: &Arguments, name: &str) -> bool {
    arguments
        .find_keyword(name)
        .is_some_and(|keyword| matches!(&keyword.value, Expr::BooleanLiteral(on) if on.value))
}

/// A text with [`UNKNOWN`] for each part that is computed.
fn known_text(expression: &Expr) -> Option<String> {
    match expression {
        Expr::StringLiteral(literal) => Some(literal.value.to_str().to_owned()),
        Expr::FString(text) => {
            let mut known = String::new();
            for part in &text.value {
                match part {
                    FStringPart::Literal(literal) => known.push_str(&literal.value),
                    FStringPart::FString(inner) => {
                        for element in &inner.elements {
                            match element {
                                InterpolatedStringElement::Literal(text) => known.push_str(text),
                                InterpolatedStringElement::Interpolation(_) => known.push(UNKNOWN),
                            }
                        }
                    }
                }
            }
            Some(known)
        }
        // `"ffmpeg " + name`, `"ffmpeg %s" % name`: it begins as it begins.
        Expr::BinOp(operation) => {
            let mut known = known_text(&operation.left)?;
            known.push(UNKNOWN);
            Some(known)
        }
        // `"ffmpeg {}".format(name)`.
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(method) if &*method.attr == "format" => {
                Some(known_text(&method.value)?.replace(['{', '}'], "\u{0}"))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The programs of a shell's command line: the first word of each of its commands.
fn first_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for command in commands(text) {
        let mut rest = command.iter().map(String::as_str).skip_while(|word| {
            let is_assignment = word.split_once('=').is_some_and(|(name, _)| is_variable(name));
            is_assignment || PREFIXES.contains(word) || word.starts_with('-')
        });
        words.extend(rest.next().filter(|word| !is_of_the_shell(word)).map(str::to_owned));
    }
    words
}

fn is_variable(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(fits)
}

/// Words that every shell knows itself.
fn is_of_the_shell(word: &str) -> bool {
    const OWN: [&str; 29] = [
        ".", ":", "[", "[[", "alias", "break", "case", "cd", "continue", "done", "echo", "esac",
        "eval", "exit", "export", "false", "fi", "for", "in", "read", "return", "set", "shift",
        "source", "test", "trap", "true", "umask", "unset",
    ];
    OWN.contains(&word)
}

/// The commands of a command line, each as its words, quotes removed. Substitutions in double
/// quotes are not looked into.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if let Some(open) = quote {
            match c {
                c if c == open => quote = None,
                '\\' if open == '"' => word.get_or_insert_default().extend(chars.next()),
                c => word.get_or_insert_default().push(c),
            }
            continue;
        }
        match c {
            '\'' | '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            '\\' => {
                // A line that goes on in the next one.
                if chars.next_if_eq(&'\n').is_none() {
                    word.get_or_insert_default().extend(chars.next());
                }
            }
            '#' if word.is_none() => while chars.next_if(|c| *c != '\n').is_some() {},
            ';' | '|' | '&' | '\n' | '(' | ')' | '`' => {
                // `2>&1` and `>|` are parts of a redirection.
                if matches!(c, '&' | '|') && word.as_ref().is_some_and(|w| w.ends_with('>')) {
                    continue;
                }
                commands.last_mut().into_iter().for_each(|last| last.extend(word.take()));
                commands.push(Vec::new());
            }
            c if c.is_whitespace() => {
                commands.last_mut().into_iter().for_each(|last| last.extend(word.take()));
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    if let Some(last) = commands.last_mut() {
        last.extend(word);
    }
    commands
}

/// The drivers that a connection string names, in the spelling of `odbcinst.ini`.
fn drivers(text: &str) -> Vec<String> {
    const VENDOR: &str = " for SQL Server";
    let plain = text.replace(['+', '\u{a0}'], " ").replace("%20", " ");
    let mut found = Vec::new();
    // Microsoft's is called so wherever it is named.
    for (at, _) in plain.match_indices("ODBC Driver ") {
        let rest = &plain[at + "ODBC Driver ".len()..];
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        if digits > 0 && rest[digits..].starts_with(VENDOR) {
            found.push(format!("ODBC Driver {}{VENDOR}", &rest[..digits]));
        }
    }
    let lower = plain.to_ascii_lowercase();
    for (at, _) in lower.match_indices("driver=") {
        let rest = plain[at + "driver=".len()..].trim_start();
        let name = match rest.strip_prefix('{') {
            Some(braced) => braced.split('}').next().unwrap_or_default(),
            None => rest.split([';', '&', '"', '\'']).next().unwrap_or_default(),
        };
        let name = name.trim();
        let is_name = !name.is_empty() && !name.contains([UNKNOWN, '/', '{', '}', '%']);
        if is_name && !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::imports;
    use super::{Outside, drivers, first_words};

    #[track_caller]
    fn check(text: &str, wanted: &[(&str, usize)]) {
        let reads = imports(text).expect("Python");
        let found: Vec<(&str, usize)> = reads
            .outside
            .iter()
            .filter(|mention| mention.what == Outside::Program)
            .map(|mention| (mention.name.as_str(), mention.line))
            .collect();
        assert_eq!(found, wanted, "{text}");
    }

    #[test]
    fn programs_that_are_run() {
        check("import subprocess\nsubprocess.run(['ffmpeg', '-i', x])", &[("ffmpeg", 2)]);
        check("import subprocess as sp\nsp.run(args=('/usr/bin/dot', x))", &[("dot", 2)]);
        check("from subprocess import check_output as o\no('sqlcmd')", &[("sqlcmd", 2)]);
        check("import subprocess\nc = ['pdftotext', x]\nsubprocess.Popen(c + y)", &[]);
        check("import subprocess\nc = ['pdftotext', x]\nsubprocess.Popen(c)", &[("pdftotext", 3)]);
        check("import subprocess\nsubprocess.run(['gs'] + files)", &[("gs", 2)]);
        check("import subprocess\nsubprocess.run('a | b', shell=True)", &[("a", 2), ("b", 2)]);
        check("import os\nos.system(f'psql -c {query} > out')", &[("psql", 2)]);
        check("import os\nos.system('tool {}'.format(x))\nos.popen('x' + y)", &[("tool", 2)]);
        check("import shutil\nif shutil.which('pandoc'): pass", &[("pandoc", 2)]);
        check("import shlex, subprocess\nsubprocess.run(shlex.split('jq .x'))", &[("jq", 2)]);
        check(
            "from prefect.tasks.shell import ShellTask\nt = ShellTask(command='aws s3 ls')",
            &[("aws", 2)],
        );
        check(
            "from prefect_shell import ShellOperation\nShellOperation(commands=['git a', 'hg b'])",
            &[("git", 2), ("hg", 2)],
        );
    }

    #[test]
    fn what_is_not_run_is_not_told() {
        check("subprocess.run(['ffmpeg'])", &[]);
        check("import subprocess\nsubprocess.run([tool, 'x'])\nsubprocess.run(f'{x}')", &[]);
        check("import subprocess\nsubprocess.run(['./script.sh'])\nx = 'ffmpeg'", &[]);
        check("import subprocess\nsubprocess.run([sys.executable, '-m', 'x'])", &[]);
    }

    #[test]
    fn tasks_are_told_from_what_builds_the_image() {
        let text = "import subprocess\ntag = subprocess.getoutput('git log')\n@task\n\
                    def a():\n    subprocess.run(['dot'])\nclass B:\n    def run(self):\n        \
                    subprocess.run(['gs'])\ndef c():\n    subprocess.run(['jq'])\n";
        let outside = imports(text).expect("Python").outside;
        let found: Vec<_> = outside.iter().map(|m| (m.name.as_str(), m.is_in_task)).collect();
        assert_eq!(found, [("git", false), ("dot", true), ("gs", true), ("jq", false)]);
    }

    #[test]
    fn command_lines() {
        for (line, wanted) in [
            ("A=1 sudo -E make all", &["make"][..]),
            ("cd /x && git pull 2>&1 | tee 'a b' ; echo done", &["git", "tee"]),
            ("if test -f x; then rsync -a x y; fi", &["rsync"]),
            ("set -e\ncurl \\\n  -O url # get\nunzip x", &["curl", "unzip"]),
            ("'my tool' x & wait", &["my tool", "wait"]),
            ("", &[]),
        ] {
            assert_eq!(first_words(line), wanted, "{line}");
        }
    }

    #[test]
    fn drivers_of_connection_strings() {
        for (text, wanted) in [
            (
                "DRIVER={ODBC Driver 18 for SQL Server};SERVER=x",
                &["ODBC Driver 18 for SQL Server"][..],
            ),
            (
                "mssql+pyodbc://x?driver=ODBC+Driver+17+for+SQL+Server",
                &["ODBC Driver 17 for SQL Server"],
            ),
            ("Driver=FreeTDS;Server=x", &["FreeTDS"]),
            ("Driver={PostgreSQL Unicode};", &["PostgreSQL Unicode"]),
            ("Driver=/usr/lib/libx.so;", &[]),
            ("driver={};", &[]),
            ("the driver", &[]),
        ] {
            assert_eq!(drivers(text), wanted, "{text}");
        }
    }
}
