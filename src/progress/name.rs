//! Reads the name of a step: `[etl linux/arm64 build 2/9] RUN make`.
//!
//! **Invariant:** any text gives a name; what is not understood stays in the instruction or the stage.

/// A step's name, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Name {
    /// The bake target, where the build has several: buildx prefixes names only then.
    pub(super) target: Option<String>,
    /// `internal`, `auth`: not of the Dockerfile.
    pub(super) internal: bool,
    /// The platform, where the build has several.
    pub(super) platform: Option<String>,
    /// The stage, `stage-1` where it has no name.
    pub(super) stage: Option<String>,
    /// Position within the stage and number of steps of it.
    pub(super) index: Option<(u32, u32)>,
    /// The instruction, or what an internal step does.
    pub(super) text: String,
}

impl Name {
    /// Reads `raw`; `targets` are those that buildx prefixes names with, none if it does not.
    pub(super) fn parse(raw: &str, targets: &[String]) -> Self {
        let raw = one_line(raw);
        let mut name = Self::default();
        let Some((bracket, text)) = raw
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
            .filter(|(b, _)| !b.is_empty())
        else {
            name.text = raw;
            return name;
        };
        name.text = without_mounts(text.trim_start());
        let mut words: Vec<&str> = bracket.split_whitespace().collect();
        if words.first().is_some_and(|word| targets.iter().any(|target| target == word)) {
            name.target = Some(words.remove(0).to_owned());
        }
        match words.first() {
            Some(&"internal") => {
                name.internal = true;
                words.remove(0);
            }
            Some(&"auth") => {
                name.internal = true;
                // The bracket has the subject: `[auth] a/b:pull token for example.org`.
                name.text = format!("auth {}", name.text);
                words.remove(0);
            }
            _ => {}
        }
        if let Some(index) = words.last().and_then(|word| parse_index(word)) {
            name.index = Some(index);
            words.pop();
        }
        if let Some(at) = words.iter().position(|word| is_platform(word)) {
            name.platform = Some(words.remove(at).to_owned());
        }
        if !words.is_empty() {
            name.stage = Some(words.join(" "));
        }
        name
    }

    /// Returns the name as it is shown: `BuildKit`'s own form.
    pub(super) fn label(&self) -> String {
        let index = self.index.map(|(at, of)| format!("{at}/{of}"));
        let internal = self.internal.then_some("internal");
        let words: Vec<&str> =
            [self.target.as_deref(), internal, self.platform.as_deref(), self.stage.as_deref()]
                .into_iter()
                .flatten()
                .chain(index.as_deref())
                .collect();
        if words.is_empty() {
            self.text.clone()
        } else {
            format!("[{}] {}", words.join(" "), self.text)
        }
    }
}

/// Makes a multi-line instruction one line and disarms control characters.
fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.trim().to_owned()
}

/// What RUN mounts says nothing to a reader who waits, and is longer than the command.
fn without_mounts(text: &str) -> String {
    let Some(mut rest) = text.strip_prefix("RUN ") else { return text.to_owned() };
    while let Some((option, after)) = rest.trim_start().split_once(char::is_whitespace) {
        if !option.starts_with("--mount=") {
            break;
        }
        rest = after;
    }
    // Continued lines leave their indentation.
    let words: Vec<&str> = rest.split_whitespace().collect();
    format!("RUN {}", words.join(" "))
}

fn parse_index(word: &str) -> Option<(u32, u32)> {
    let (at, of) = word.split_once('/')?;
    Some((at.parse().ok()?, of.parse().ok()?))
}

/// `linux/arm64`, `linux/arm/v7`, `linux/amd64->arm64`. A stage's name has no slash.
fn is_platform(word: &str) -> bool {
    word.split_once('/').is_some_and(|(os, arch)| {
        !os.is_empty() && !arch.is_empty() && os.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[track_caller]
    fn check(raw: &str, targets: &[&str], want: (&str, &str, &str, &str, &str)) {
        let targets: Vec<String> = targets.iter().map(|&target| target.to_owned()).collect();
        let name = Name::parse(raw, &targets);
        let index = name.index.map(|(at, of)| format!("{at}/{of}")).unwrap_or_default();
        let or_empty = |part: &Option<String>| part.clone().unwrap_or_default();
        let got = (
            or_empty(&name.target),
            or_empty(&name.platform),
            or_empty(&name.stage),
            index,
            name.text.clone(),
        );
        let got = (&*got.0, &*got.1, &*got.2, &*got.3, &*got.4);
        assert_eq!(got, want, "{raw}");
    }

    #[test]
    fn a_name_is_taken_apart() {
        check("[2/9] RUN a", &[], ("", "", "", "2/9", "RUN a"));
        check("[stage 2/9] RUN a", &[], ("", "", "stage", "2/9", "RUN a"));
        check("[etl 2/9] RUN a", &[], ("", "", "etl", "2/9", "RUN a"));
        check("[etl 2/9] RUN a", &["etl", "b"], ("etl", "", "", "2/9", "RUN a"));
        check("[etl etl 2/9] RUN a", &["etl", "b"], ("etl", "", "etl", "2/9", "RUN a"));
        check("[etl] exporting to image", &["etl", "b"], ("etl", "", "", "", "exporting to image"));
        check("[linux/arm64 s 1/1] COPY a", &[], ("", "linux/arm64", "s", "1/1", "COPY a"));
        check("[b linux/amd64 1/1] COPY a", &["b"], ("b", "linux/amd64", "", "1/1", "COPY a"));
        check("[linux/amd64->arm64 s 1/2] R", &[], ("", "linux/amd64->arm64", "s", "1/2", "R"));
        check(
            "[context gen] load from client",
            &[],
            ("", "", "context gen", "", "load from client"),
        );
        check("exporting to image", &[], ("", "", "", "", "exporting to image"));
        check("[1/2] RUN [\"a\",\"b]\"]", &[], ("", "", "", "1/2", "RUN [\"a\",\"b]\"]"));
        check("[1/1] RUN a\n\x1b[31mb\tc", &[], ("", "", "", "1/1", "RUN a [31mb c"));
        check("[]", &[], ("", "", "", "", "[]"));
        check("", &[], ("", "", "", "", ""));
    }

    #[test]
    fn internal_steps_are_told_apart() {
        let name = Name::parse("[etl internal] load .dockerignore", &["etl".to_owned()]);
        assert!(name.internal);
        assert_eq!(name.label(), "[etl internal] load .dockerignore");
        let name = Name::parse("[auth] a/b:pull token for example.org", &[]);
        assert!(name.internal);
        assert_eq!(name.label(), "[internal] auth a/b:pull token for example.org");
    }
}
