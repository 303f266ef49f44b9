//! `recipes`: what each that the spec names adds to the storage, by its options.
//!
//! **Invariant:** a recipe whose licence nobody accepted, or that a platform lacks, adds nothing.

use std::collections::BTreeMap;

use super::Resolver;
use super::repositories::name_of;
use super::tables::{Within, nearest};
use crate::packages::recipes::{self, Choice, Kind};
use crate::spec::document::{Entry, Node, Table};
use crate::storage::{AptRepository, Argument, NeededPackage, Phase, Recipe, RecipeStep, Source};

const KEY: &str = "recipes";

/// What the recipes of a storage add to it.
#[derive(Default)]
pub(super) struct Added {
    pub(super) recipes: Vec<Recipe>,
    pub(super) repositories: Vec<AptRepository>,
    pub(super) packages: Vec<NeededPackage>,
    pub(super) env: Vec<(String, String)>,
}

/// What a user said of a recipe.
#[derive(Default)]
struct Said {
    /// Switches and numbers, as text.
    values: BTreeMap<String, String>,
    keys: Option<Vec<Source>>,
    files: Vec<(String, Source)>,
}

impl Resolver<'_> {
    /// Reads `recipes`.
    pub(super) fn recipes(&mut self, platforms: &[String]) -> Added {
        let mut added = Added::default();
        let Some(recipes) = &self.storage.recipes else { return added };
        let within = Within { key: KEY, file: &recipes.place.file };
        let none = Table::default();
        match &recipes.value {
            Node::Table(table) => {
                for entry in &table.entries {
                    match &entry.value.node {
                        Node::Table(options) => {
                            self.recipe(
                                within, &entry.key, options, entry.line, platforms, &mut added,
                            );
                        }
                        Node::Boolean(true) => {
                            self.recipe(
                                within, &entry.key, &none, entry.line, platforms, &mut added,
                            );
                        }
                        Node::Boolean(false) => {}
                        other => {
                            let message = format!("the recipe `{}` is {}", entry.key, other.kind());
                            let remedy = "write a table of options, or true";
                            self.problem_at(within, entry.line, message, remedy);
                        }
                    }
                }
            }
            Node::List(listed) => {
                for item in listed {
                    let Node::String(name) = &item.node else {
                        let message = format!("an item of `recipes` is {}", item.node.kind());
                        let remedy = "write names, or a table { name = { option = true } }";
                        self.problem_at(within, item.line, message, remedy);
                        continue;
                    };
                    self.recipe(within, name, &none, item.line, platforms, &mut added);
                }
            }
            Node::String(name) => {
                let line = recipes.place.line;
                self.recipe(within, name, &none, line, platforms, &mut added);
            }
            _ => {}
        }
        added
    }

    fn recipe(
        &mut self,
        within: Within<'_>,
        name: &str,
        options: &Table,
        line: usize,
        platforms: &[String],
        added: &mut Added,
    ) {
        let Some(recipe) = recipes::all().get(name) else {
            let known: Vec<&str> = recipes::all().keys().map(String::as_str).collect();
            let remedy = match nearest(name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", known.join(", ")),
            };
            self.problem_at(within, line, format!("there is no recipe `{name}`"), remedy);
            return;
        };
        if added.recipes.iter().any(|known| known.name == name) {
            let message = format!("the recipe `{name}` is named twice");
            self.problem_at(within, line, message, "keep one of the two");
            return;
        }
        let before = self.problems.len();
        let said = self.options(within, name, recipe, options, line);
        for lack in recipe.lacks.iter().filter(|lack| recipes::applies(&lack.is, &said.values)) {
            let fits = |platform: &String| {
                *platform == lack.platform || platform.starts_with(&format!("{}/", lack.platform))
            };
            if platforms.iter().any(fits) {
                self.problem_at(within, line, &lack.message, &lack.remedy);
            }
        }
        if self.problems.len() == before {
            let origin = format!("{KEY}, {}", within.place(line));
            add(name, recipe, said, &origin, added);
        }
    }

    fn options(
        &mut self,
        within: Within<'_>,
        name: &str,
        recipe: &recipes::Recipe,
        options: &Table,
        line: usize,
    ) -> Said {
        let known: Vec<&str> = recipe.options.keys().map(String::as_str).collect();
        for entry in &options.entries {
            if !known.contains(&entry.key.as_str()) {
                let of = format!("the recipe `{name}`");
                self.unknown_entry(within, entry, &of, &known);
            }
        }
        let mut said = Said::default();
        // Numbers first: the names of licences are made of them.
        let (numbers, others): (Vec<_>, Vec<_>) =
            recipe.options.iter().partition(|(_, choice)| choice.kind == Kind::Number);
        for (option, choice) in numbers.into_iter().chain(others) {
            let given = options.get(option);
            match choice.kind {
                Kind::Number => {
                    let number = self.number(within, option, choice, given);
                    said.values.insert(option.clone(), number);
                }
                Kind::Switch => {
                    let on = given.is_some_and(|entry| self.is_on(within, entry));
                    said.values.insert(option.clone(), on.to_string());
                }
                Kind::Licence => {
                    if !given.is_some_and(|entry| self.is_on(within, entry)) {
                        let licence = recipes::filled(&choice.licence, &said.values);
                        let url = recipes::filled(&choice.url, &said.values);
                        let message = format!("the recipe `{name}` needs your word on {licence}");
                        let remedy =
                            format!("read {url}, and set {option} = true if you accept it");
                        self.problem_at(within, line, message, remedy);
                    }
                }
                Kind::Keys => said.keys = given.map(|entry| self.keys(within, entry)),
                Kind::File => {
                    let Some(entry) = given else {
                        let message = format!("the recipe `{name}` has no `{option}`");
                        let remedy = format!("add {option}: {}", choice.about);
                        self.problem_at(within, line, message, remedy);
                        continue;
                    };
                    if let Some(source) = self.source(within, option, &entry.value) {
                        said.files.push((choice.file.clone(), source));
                    }
                }
            }
        }
        said
    }

    fn number(
        &mut self,
        within: Within<'_>,
        option: &str,
        choice: &Choice,
        given: Option<&Entry>,
    ) -> String {
        let default = choice.values.first().map(ToString::to_string).unwrap_or_default();
        let Some(entry) = given else { return default };
        let found = match &entry.value.node {
            Node::Integer(number) => Some(*number),
            Node::String(text) => text.parse().ok(),
            _ => None,
        };
        if let Some(number) = found.filter(|number| choice.values.contains(number)) {
            return number.to_string();
        }
        let values: Vec<String> = choice.values.iter().map(ToString::to_string).collect();
        let message = format!("`{option}` is none of the numbers that it may be");
        self.problem_at(within, entry.line, message, format!("write {}", values.join(" or ")));
        default
    }

    fn is_on(&mut self, within: Within<'_>, entry: &Entry) -> bool {
        if let Node::Boolean(on) = entry.value.node {
            return on;
        }
        let message = format!("`{}` is {}", entry.key, entry.value.node.kind());
        self.problem_at(within, entry.line, message, "write true or false, without quotes");
        false
    }
}

/// Puts a recipe into a storage's own terms.
fn add(name: &str, recipe: &recipes::Recipe, said: Said, origin: &str, added: &mut Added) {
    let because = format!("recipe {name}");
    let values = &said.values;
    let fill = |text: &String| recipes::filled(text, values);
    let also: Vec<_> =
        recipe.when.iter().filter(|when| recipes::applies(&when.is, values)).collect();
    let packages = recipe.packages.iter().chain(also.iter().flat_map(|when| &when.packages));
    added.packages.extend(packages.map(|names| NeededPackage {
        is_required: true,
        names: fill(names).split('|').map(|one| one.trim().to_owned()).collect(),
        phase: Phase::Run,
        because: because.clone(),
    }));
    let env = recipe.env.iter().chain(also.iter().flat_map(|when| &when.env));
    added.env.extend(env.map(|(name, value)| (name.clone(), fill(value))));
    if let Some(repository) = &recipe.repository {
        let known = repository
            .keys
            .iter()
            .map(|key| Source::Url { url: key.url.clone(), sha256: key.sha256.clone() });
        added.repositories.push(AptRepository {
            name: repository.uris.first().map(|uri| name_of(uri)).unwrap_or_default(),
            types: vec!["deb".to_owned()],
            uris: repository.uris.clone(),
            suites: repository.suites.clone(),
            components: repository.components.clone(),
            architectures: Vec::new(),
            keys: said.keys.unwrap_or_else(|| known.collect()),
            because: because.clone(),
        });
    }
    let step = |words: &Vec<String>| {
        let (program, arguments) = words.split_first()?;
        let (program, text) = recipes::program(program)?;
        let argument = |word: &String| match recipe.options.get(word.trim_matches(['<', '>'])) {
            Some(Choice { kind: Kind::File, file, .. }) => Argument::File(file.clone()),
            _ => Argument::Text(fill(word)),
        };
        Some(RecipeStep { program, text, arguments: arguments.iter().map(argument).collect() })
    };
    added.recipes.push(Recipe {
        name: name.to_owned(),
        about: fill(&recipe.about),
        origin: origin.to_owned(),
        install_env: recipe.install_env.clone().into_iter().collect(),
        files: said.files,
        steps: recipe.steps.iter().filter_map(step).collect(),
    });
}
