//! The commands and their flags: the one definition that parsing, help and completion share.
//!
//! The doc comment of a field is the flag's help, in Docker's style: imperative, no period, values
//! in double quotes. The value name is the kind of value as Docker prints it.
//!
//! **Invariant:** says what may be typed; what it means is decided by `commands`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

/// Build workflow scripts into checked, pushed container images
#[derive(Debug, Parser)]
#[command(
    name = "flowstorage",
    disable_help_flag = true,
    disable_help_subcommand = true,
    disable_version_flag = true,
    args_override_self = true
)]
pub(super) struct Grammar {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// A command, with everything that was typed after it.
#[derive(Debug, PartialEq, Eq, Subcommand)]
#[command(disable_help_flag = true, args_override_self = true)]
pub enum Command {
    /// Build, check and push the images of a spec
    Build(Box<BuildArgs>),
    /// Report every problem of a spec, each with its place and remedy
    Check(CheckArgs),
    /// Say why a build failed and what to add to the spec, from its log
    Explain(ExplainArgs),
    /// Write a spec from a flow script
    Init(InitArgs),
    /// Install this binary as a plugin of the Docker CLI
    Install(InstallArgs),
    /// Show what would be built without building it
    Plan(PlanArgs),
    /// Show the version of docker-flowstorage
    Version(VersionArgs),
}

/// Which spec is meant, and which of its storages.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecArgs {
    /// Name of the spec or flow script (default: "flowstorage.toml" or "pyproject.toml")
    #[arg(short, long, value_name = "string", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,

    /// Storages of the spec; all of them unless given
    #[arg(value_name = "STORAGE")]
    pub storages: Vec<String>,
}

/// Parts of the image's name, for what a script computes.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct NameArgs {
    /// Registry and namespace in front of the image name
    #[arg(long, value_name = "string")]
    pub registry_url: Option<String>,

    /// Repository of the image
    #[arg(long, value_name = "string")]
    pub image_name: Option<String>,

    /// Tag of the image
    #[arg(long, value_name = "string")]
    pub image_tag: Option<String>,
}

/// What `build` was asked to do.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each one is a switch of its own, as in buildx")]
pub struct BuildArgs {
    /// The spec and the storages to build.
    #[command(flatten)]
    pub spec: SpecArgs,

    /// Parts of the image's name.
    #[command(flatten)]
    pub names: NameArgs,

    /// Push the images once they are checked
    #[arg(long, conflicts_with = "load")]
    pub push: bool,

    /// Load the images into the engine
    #[arg(long)]
    pub load: bool,

    /// Set target platform for build
    #[arg(long, value_name = "stringArray", value_delimiter = ',')]
    pub platform: Vec<String>,

    /// Name and optionally a tag (format: "name:tag")
    #[arg(short, long, value_name = "stringArray")]
    pub tag: Vec<String>,

    /// Override the configured builder instance
    #[arg(long, value_name = "string")]
    pub builder: Option<String>,

    /// Always attempt to pull all referenced images
    #[arg(long)]
    pub pull: bool,

    /// Do not use cache when building the image
    #[arg(long)]
    pub no_cache: bool,

    /// External cache sources (e.g., "user/app:cache", "type=local,src=path/to/dir")
    #[arg(long, value_name = "stringArray")]
    pub cache_from: Vec<String>,

    /// Cache export destinations (e.g., "user/app:cache", "type=local,dest=path/to/dir")
    #[arg(long, value_name = "stringArray")]
    pub cache_to: Vec<String>,

    /// Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")
    #[arg(long, value_name = "stringArray")]
    pub secret: Vec<String>,

    /// SSH agent socket or keys to expose to the build (format: "default|<id>[=<socket>|<key>[,<key>]]")
    #[arg(long, value_name = "stringArray")]
    pub ssh: Vec<String>,

    /// Set build-time variables
    #[arg(long, value_name = "stringArray")]
    pub build_arg: Vec<String>,

    /// Output destination (format: "type=local,dest=path")
    #[arg(short, long, value_name = "stringArray")]
    pub output: Vec<String>,

    /// Write build result metadata to a file
    #[arg(long, value_name = "string", value_hint = ValueHint::AnyPath)]
    pub metadata_file: Option<PathBuf>,

    /// Add missing system packages and build again until it succeeds
    #[arg(long)]
    pub fix: bool,

    /// Write what --fix found without asking
    #[arg(short, long)]
    pub yes: bool,

    /// Set type of progress output ("auto", "plain", "quiet", "rawjson", "tty"). Use plain to show container output
    #[arg(long, value_enum, value_name = "string", default_value = "auto")]
    pub progress: Progress,

    /// Shorthand for "--progress=quiet"
    #[arg(short, long)]
    pub quiet: bool,

    /// Format of the result ("default", "json")
    #[arg(long, value_enum, value_name = "string", default_value = "default")]
    pub format: Format,

    /// Shorthand for "--attest=type=provenance"
    #[arg(long, value_name = "string")]
    pub provenance: Option<String>,

    /// Shorthand for "--attest=type=sbom"
    #[arg(long, value_name = "string")]
    pub sbom: Option<String>,

    /// Write the flows for "prefect register --json" (Prefect 1)
    #[arg(long, value_name = "string", value_hint = ValueHint::AnyPath)]
    pub flows_json: Option<PathBuf>,

    /// Write the storage as Prefect 1 serialises it
    #[arg(long, value_name = "string", value_hint = ValueHint::AnyPath)]
    pub storage_json: Option<PathBuf>,

    /// Name the image by digest in these files, not by tag
    #[arg(long)]
    pub pin_digest: bool,

    /// Write a deployment of each flow for "prefect deploy" (Prefect 2 and 3)
    #[arg(long, value_name = "string", value_hint = ValueHint::AnyPath)]
    pub prefect_yaml: Option<PathBuf>,
}

/// What `plan` was asked to show.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanArgs {
    /// The spec and the storages to plan.
    #[command(flatten)]
    pub spec: SpecArgs,

    /// Parts of the image's name.
    #[command(flatten)]
    pub names: NameArgs,

    /// Set target platform for build
    #[arg(long, value_name = "stringArray", value_delimiter = ',')]
    pub platform: Vec<String>,

    /// Name and optionally a tag (format: "name:tag")
    #[arg(short, long, value_name = "stringArray")]
    pub tag: Vec<String>,

    /// Set build-time variables
    #[arg(long, value_name = "stringArray")]
    pub build_arg: Vec<String>,

    /// Write a folder that "docker buildx bake" builds to the same images
    #[arg(short, long, value_name = "string", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,

    /// Format of the result ("default", "json")
    #[arg(long, value_enum, value_name = "string", default_value = "default")]
    pub format: Format,
}

/// What `check` was asked to look at.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckArgs {
    /// The spec and the storages to check.
    #[command(flatten)]
    pub spec: SpecArgs,

    /// Parts of the image's name.
    #[command(flatten)]
    pub names: NameArgs,

    /// Format of the result ("default", "json")
    #[arg(long, value_enum, value_name = "string", default_value = "default")]
    pub format: Format,
}

/// What `explain` was asked to read.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ExplainArgs {
    /// Log of a failed build, "-" or none for stdin
    #[arg(value_name = "LOG|-", value_hint = ValueHint::FilePath)]
    pub log: Option<PathBuf>,

    /// Image that is asked for what no table knows (default: the one that the log names)
    #[arg(long, value_name = "string")]
    pub base_image: Option<String>,

    /// Override the configured builder instance
    #[arg(long, value_name = "string")]
    pub builder: Option<String>,

    /// Format of the result ("default", "json")
    #[arg(long, value_enum, value_name = "string", default_value = "default")]
    pub format: Format,
}

/// What `init` was asked to write.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct InitArgs {
    /// A flow script, or a folder of flow scripts; the current folder unless given
    #[arg(value_name = "FLOW.py|DIR")]
    pub source: Option<PathBuf>,

    /// Name of the spec, "-" for stdout (default: "flowstorage.toml" in the current folder)
    #[arg(short, long, value_name = "string", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// Where `install` was asked to put the binary.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct InstallArgs {
    /// Folder to install into (default: "cli-plugins" in the folder of Docker's client config files)
    #[arg(long, value_name = "string", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

/// How `version` was asked to answer.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionArgs {
    /// Format of the result ("default", "json")
    #[arg(short, long, value_enum, value_name = "string", default_value = "default")]
    pub format: Format,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// Bars on a terminal, lines elsewhere.
    #[default]
    Auto,
    /// Lines.
    Plain,
    /// Nothing but problems; `none`, which buildx gives to `BUILDKIT_PROGRESS`, means the same.
    #[value(alias = "none")]
    Quiet,
    /// The stream of `BuildKit`, unchanged.
    Rawjson,
    /// Bars.
    Tty,
}

/// How a result is written to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people.
    #[default]
    Default,
    /// One JSON object.
    Json,
}
