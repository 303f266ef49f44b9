//! What is shown of a build that failed: the step, the end of its output, the place in the
//! Dockerfile, and last the cause, where the eye is.
//!
//! **Invariant:** it fits on a screen, whatever the step wrote.

use super::canvas::{BOLD, Charset, DIM, RED, paint};
use super::fit;
use crate::progress::failure::Failure;
use crate::term::Style;

/// Lines of output shown.
const MAX_LOG: usize = 20;
/// Lines of a Dockerfile shown.
const MAX_EXCERPT: usize = 12;
/// A line of output may be a whole minified file.
const MAX_LINE: usize = 500;

/// Returns everything about a failure, the cause last, each line terminated.
pub fn failure(failure: &Failure, width: usize, style: Style) -> String {
    let mut lines = context(failure, width, style);
    let label = paint(style, "1;31", "ERROR:");
    let target = match failure.targets.as_slice() {
        [only] => format!("{only}: "),
        _ => String::new(),
    };
    if failure.findings.is_empty() {
        lines.push(format!("{label} {target}{}", failure.cause()));
        lines.extend(failure.error.lines().skip(1).map(str::to_owned));
    }
    for finding in &failure.findings {
        lines.push(format!("{label} {target}{}", finding.message));
        lines.extend(finding.remedy.iter().map(|remedy| format!("  {remedy}")));
    }
    terminated(&lines)
}

/// Returns what led to a failure, without the cause.
pub fn failure_context(failure: &Failure, width: usize, style: Style) -> String {
    terminated(&context(failure, width, style))
}

fn context(failure: &Failure, width: usize, style: Style) -> Vec<String> {
    let rule = paint(style, DIM, &"-".repeat(width.clamp(6, 20)));
    let mut lines = Vec::new();
    if let Some(step) = &failure.step {
        let words = step.split_whitespace().filter(|word| !fit::is_mount(word));
        let step = words.collect::<Vec<_>>().join(" ");
        let step = fit::cut(&step, width.saturating_sub(4).max(16) * 2, Charset::Unicode);
        let log = output(&failure.log_tail, style);
        if log.is_empty() {
            lines.push(paint(style, BOLD, &format!(" > {step}")));
        } else {
            lines.extend([rule.clone(), paint(style, BOLD, &format!(" > {step}:"))]);
            lines.extend(log);
            lines.push(rule.clone());
        }
    }
    // Where the check failed, the place is our own line that runs it.
    if let Some(excerpt) = failure.excerpt.as_ref().filter(|_| failure.findings.is_empty()) {
        lines.extend(quoted(excerpt, &rule, style));
    }
    lines
}

/// The end of a step's output.
fn output(tail: &[String], style: Style) -> Vec<String> {
    let mut log: Vec<&str> = tail.iter().map(|line| line.trim_end()).collect();
    while log.last().is_some_and(|line| line.is_empty()) {
        log.pop();
    }
    let skipped = log.len().saturating_sub(MAX_LOG);
    let mut lines = Vec::new();
    if skipped > 0 {
        let more = fit::count(skipped, "earlier line");
        lines.push(paint(style, DIM, &format!("({more} not shown)")));
    }
    lines.extend(log[skipped..].iter().map(|line| fit::cut(line, MAX_LINE, Charset::Unicode)));
    lines
}

/// The Dockerfile's lines that the builder points at, and a few around them.
fn quoted(excerpt: &str, rule: &str, style: Style) -> Vec<String> {
    let mut source = excerpt.lines();
    let title = source.next().unwrap_or_default();
    let body: Vec<&str> = source.filter(|line| !line.starts_with("----")).collect();
    let marked = body.iter().position(|line| line.contains("| >>>")).unwrap_or(0);
    let mut lines = vec![title.to_owned(), rule.to_owned()];
    // A heredoc may be marked as a whole: its beginning says which it is.
    for line in body.iter().skip(marked.saturating_sub(2)).take(MAX_EXCERPT) {
        let colour = if line.contains("| >>>") { RED } else { DIM };
        let line = fit::cut(line.trim_end(), MAX_LINE, Charset::Unicode);
        lines.push(paint(style, colour, &line));
    }
    lines.push(rule.to_owned());
    lines
}

fn terminated(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::failure;
    use crate::progress::failure::Failure;
    use crate::term::Style;

    #[test]
    fn a_wall_of_output_and_of_dockerfile_is_cut() {
        let source: Vec<String> = (1..40)
            .map(|line| format!("{line:>4} | {}RUN {line}", if line > 5 { ">>> " } else { "    " }))
            .collect();
        let rule = "-".repeat(20);
        let long = Failure {
            targets: vec!["etl".to_owned()],
            step: Some(format!("[2/3] RUN {}", "make && ".repeat(200))),
            error: "first\nsecond".to_owned(),
            log_tail: (0..200).map(|line| format!("{line} {}", "x".repeat(5000))).collect(),
            excerpt: Some(format!("Dockerfile:6\n{rule}\n{}\n{rule}", source.join("\n"))),
            ..Failure::default()
        };
        for width in [20, 80, 200] {
            let text = failure(&long, width, Style::Plain);
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 1 + 1 + 1 + 20 + 1 + 1 + 1 + 12 + 1 + 2);
            assert!(lines[1].len() < 2 * width.max(20));
            assert_eq!(lines[2], "(180 earlier lines not shown)");
            assert!(lines.iter().all(|line| line.chars().count() <= 500));
            assert!(text.ends_with("ERROR: etl: first\nsecond\n"));
            assert!(text.contains("   4 |     RUN 4\n") && !text.contains("RUN 3\n"));
        }
    }
}
