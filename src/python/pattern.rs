//! Patterns of `match`.
//!
//! **Invariant:** a pattern that is not known to match, or not to, binds nothing but unknown values.

use ruff_python_ast::{Pattern, Singleton};
use ruff_text_size::Ranged;

use super::interpreter::Interpreter;
use super::object::Obj;
use super::value::{Datum, Key, V, Why};

impl<'a> Interpreter<'a> {
    /// Whether a value matches a pattern, whose names are bound.
    pub(super) fn matches(&mut self, pattern: &'a Pattern, value: &V) -> Result<bool, Why> {
        let result = self.deeper(|this| this.matches_now(pattern, value));
        result.unwrap_or_else(|| Err(Why::at(self.span(pattern.range()))))
    }

    fn matches_now(&mut self, pattern: &'a Pattern, value: &V) -> Result<bool, Why> {
        let reason = Why::at(self.span(pattern.range()));
        let reason = value.why().cloned().unwrap_or(reason);
        match pattern {
            Pattern::MatchValue(literal) => {
                let literal = self.eval(&literal.value).map_err(|_| reason.clone())?;
                self.equal(value, &literal, 0).ok_or(reason)
            }
            Pattern::MatchSingleton(singleton) => match (singleton.value, value) {
                (_, V::Unknown(_) | V::External(..)) => Err(reason),
                (Singleton::None, value) => Ok(value.is_none()),
                (Singleton::True, value) => Ok(matches!(value, V::Bool(true))),
                (Singleton::False, value) => Ok(matches!(value, V::Bool(false))),
            },
            Pattern::MatchAs(capture) => {
                let holds = match &capture.pattern {
                    Some(pattern) => self.matches(pattern, value),
                    None => Ok(true),
                };
                if let Some(name) = &capture.name
                    && !matches!(holds, Ok(false))
                {
                    self.bind(name.as_str(), value.clone());
                }
                holds
            }
            Pattern::MatchOr(alternatives) => {
                let mut uncertain = None;
                for alternative in &alternatives.patterns {
                    match self.matches(alternative, value) {
                        Ok(true) if uncertain.is_none() => return Ok(true),
                        Ok(true) => break,
                        Ok(false) => {}
                        Err(why) => uncertain = Some(why),
                    }
                }
                uncertain.map_or(Ok(false), Err)
            }
            Pattern::MatchSequence(sequence) => {
                let items: Vec<Datum> = match value {
                    V::Tuple(items) => items.to_vec(),
                    V::Ref(id) => match self.heap.get(*id) {
                        Obj::List(items) => items.clone(),
                        Obj::Dict(_) | Obj::Set(_) => return Ok(false),
                        _ => return self.give_names(pattern, reason),
                    },
                    V::Unknown(_) | V::External(..) => return self.give_names(pattern, reason),
                    _ => return Ok(false),
                };
                self.sequence(&sequence.patterns, &items)
            }
            Pattern::MatchMapping(mapping) => {
                let dict = match value {
                    V::Ref(id) => match self.heap.get(*id) {
                        Obj::Dict(dict) if dict.uncertain().is_none() => dict.clone(),
                        Obj::List(_) | Obj::Set(_) => return Ok(false),
                        _ => return self.give_names(pattern, reason),
                    },
                    V::Unknown(_) | V::External(..) => return self.give_names(pattern, reason),
                    _ => return Ok(false),
                };
                let mut uncertain = None;
                for (key, pattern) in mapping.keys.iter().zip(&mapping.patterns) {
                    let key = self.eval(key).map_err(|_| reason.clone())?;
                    let Some(key) = Key::of(&key) else { return Err(reason) };
                    let Some(datum) = dict.get(&key) else { return Ok(false) };
                    match self.matches(pattern, &datum.value) {
                        Ok(true) => {}
                        Ok(false) => return Ok(false),
                        Err(why) => uncertain = Some(why),
                    }
                }
                if let Some(name) = &mapping.rest {
                    self.bind(name.as_str(), V::Unknown(reason));
                }
                uncertain.map_or(Ok(true), Err)
            }
            Pattern::MatchClass(_) | Pattern::MatchStar(_) => self.give_names(pattern, reason),
        }
    }

    fn sequence(&mut self, patterns: &'a [Pattern], items: &[Datum]) -> Result<bool, Why> {
        let star = patterns.iter().position(Pattern::is_match_star);
        let fits = match star {
            None => items.len() == patterns.len(),
            Some(_) => items.len() + 1 >= patterns.len(),
        };
        if !fits {
            return Ok(false);
        }
        let mut rest = items;
        let mut uncertain = None;
        for (at, pattern) in patterns.iter().enumerate() {
            if let Pattern::MatchStar(star) = pattern {
                let (inside, after) = rest.split_at(rest.len() - (patterns.len() - at - 1));
                if let Some(name) = &star.name {
                    let list = V::Ref(self.heap.add(Obj::List(inside.to_vec())));
                    self.bind(name.as_str(), list);
                }
                rest = after;
                continue;
            }
            let Some((first, after)) = rest.split_first() else { return Ok(false) };
            match self.matches(pattern, &first.value) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(why) => uncertain = Some(why),
            }
            rest = after;
        }
        uncertain.map_or(Ok(true), Err)
    }

    /// Binds the names of a pattern that may match to what is not known.
    fn give_names(&mut self, pattern: &'a Pattern, why: Why) -> Result<bool, Why> {
        let inner: Vec<&'a Pattern> = match pattern {
            Pattern::MatchSequence(sequence) => sequence.patterns.iter().collect(),
            Pattern::MatchMapping(mapping) => {
                if let Some(name) = &mapping.rest {
                    self.bind(name.as_str(), V::Unknown(why.clone()));
                }
                mapping.patterns.iter().collect()
            }
            Pattern::MatchClass(class) => {
                let keywords = class.arguments.keywords.iter().map(|keyword| &keyword.pattern);
                class.arguments.patterns.iter().chain(keywords).collect()
            }
            Pattern::MatchStar(star) => {
                if let Some(name) = &star.name {
                    self.bind(name.as_str(), V::Unknown(why.clone()));
                }
                Vec::new()
            }
            _ => Vec::new(),
        };
        for pattern in inner {
            _ = self.matches(pattern, &V::Unknown(why.clone()));
        }
        Err(why)
    }
}
