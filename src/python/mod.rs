//! Python source, read and never run.
//!
//! **Invariant:** pure; a name is either known for certain or reported as unknown.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Stmt, StmtAssign};
use ruff_python_parser::parse_module;
use ruff_text_size::Ranged;

/// What a flow script says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// Absolute modules that it imports anywhere, first dotted name whole, in order.
    pub imports: Vec<String>,
    /// Names that it imports from the module `prefect`.
    pub prefect_names: Vec<String>,
    /// Names of the Prefect 1 flows that it makes, with their lines, each name once.
    pub flows: Vec<(String, usize)>,
    /// Lines where a Prefect 1 flow is made whose name is not a constant.
    pub unnamed_flows: Vec<usize>,
}

/// Why a script cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// One line.
    pub message: String,
    /// Counted from 1.
    pub line: usize,
}

/// Reads a script.
pub fn read(source: &str) -> Result<Script, SyntaxError> {
    let source = source.trim_start_matches('\u{feff}');
    let parsed = parse_module(source).map_err(|error| SyntaxError {
        message: error.error.to_string(),
        line: line_of(source, error.location.start().to_usize()),
    })?;
    let mut reader = Reader { source, script: Script::default(), names: Names::default() };
    reader.visit_body(&parsed.syntax().body);
    Ok(reader.script)
}

fn line_of(source: &str, offset: usize) -> usize {
    source.char_indices().take_while(|(at, _)| *at < offset).filter(|(_, c)| *c == '\n').count() + 1
}

/// What names are bound to where it matters here.
#[derive(Default)]
struct Names {
    /// Names that are Prefect's class `Flow`.
    flow: Vec<String>,
    /// Names that are the module `prefect`.
    prefect: Vec<String>,
    /// Module-level names bound once, to a string.
    constants: Vec<(String, Option<String>)>,
}

struct Reader<'a> {
    source: &'a str,
    script: Script,
    names: Names,
}

impl Reader<'_> {
    fn import(&mut self, module: &str) {
        if !self.script.imports.iter().any(|known| known == module) {
            self.script.imports.push(module.to_owned());
        }
    }

    fn bind(&mut self, assign: &StmtAssign) {
        for target in &assign.targets {
            if let Expr::Name(name) = target {
                let name = name.id.to_string();
                let value = match self.names.constants.iter().position(|(known, _)| *known == name)
                {
                    // Bound twice: which one holds depends on the run.
                    Some(at) => {
                        self.names.constants.remove(at);
                        None
                    }
                    None => self.text(&assign.value),
                };
                self.names.constants.push((name, value));
            }
        }
    }

    fn text(&self, expression: &Expr) -> Option<String> {
        match expression {
            Expr::StringLiteral(literal) => Some(literal.value.to_str().to_owned()),
            Expr::Name(name) => {
                let known =
                    self.names.constants.iter().find(|(known, _)| *known == name.id.as_str());
                known.and_then(|(_, value)| value.clone())
            }
            _ => None,
        }
    }

    fn is_flow_class(&self, function: &Expr) -> bool {
        match function {
            Expr::Name(name) => self.names.flow.iter().any(|known| known == name.id.as_str()),
            Expr::Attribute(attribute) if attribute.attr.as_str() == "Flow" => {
                match &*attribute.value {
                    Expr::Name(name) => self.names.prefect.iter().any(|k| k == name.id.as_str()),
                    _ => false,
                }
            }
            _ => false,
        }
    }
}

impl<'a> Visitor<'a> for Reader<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    self.import(alias.name.as_str());
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name).to_string();
                    let is_prefect = alias.name.as_str() == "prefect"
                        || (alias.asname.is_none() && alias.name.starts_with("prefect."));
                    if is_prefect {
                        let bound = bound.split('.').next().unwrap_or_default().to_owned();
                        self.names.prefect.push(bound);
                    }
                }
            }
            Stmt::ImportFrom(import) if import.level == 0 => {
                let module = import.module.as_ref().map(ToString::to_string).unwrap_or_default();
                self.import(&module);
                for alias in &import.names {
                    if module == "prefect" {
                        self.script.prefect_names.push(alias.name.to_string());
                    }
                    let makes_flows =
                        matches!(module.as_str(), "prefect" | "prefect.core" | "prefect.core.flow");
                    if makes_flows && alias.name.as_str() == "Flow" {
                        let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                        self.names.flow.push(bound.to_string());
                    }
                }
            }
            Stmt::Assign(assign) => self.bind(assign),
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression
            && self.is_flow_class(&call.func)
        {
            let line = line_of(self.source, call.range().start().to_usize());
            let name = call.arguments.find_argument_value("name", 0);
            match name.and_then(|name| self.text(name)) {
                Some(name) if self.script.flows.iter().any(|(known, _)| *known == name) => {}
                Some(name) => self.script.flows.push((name, line)),
                None => self.script.unnamed_flows.push(line),
            }
        }
        visitor::walk_expr(self, expression);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flows(source: &str) -> (Vec<(String, usize)>, Vec<usize>) {
        let script = read(source).expect("valid Python");
        (script.flows, script.unnamed_flows)
    }

    #[test]
    fn flows_are_found_by_what_their_class_is_bound_to() {
        for source in [
            "from prefect import task, Flow\nwith Flow('etl') as f: pass",
            "from prefect import Flow as F\nf = F(name='etl', schedule=None)",
            "import prefect\nwith prefect.Flow('etl') as f: pass",
            "import prefect as p\nf = p.Flow('etl')",
            "from prefect.core.flow import Flow\nNAME = 'etl'; f = Flow(NAME)",
            "import prefect.tasks.shell\ndef make(): return prefect.Flow('etl')",
        ] {
            assert_eq!(flows(source), (vec![("etl".into(), 2)], vec![]), "{source}");
        }
    }

    #[test]
    fn what_is_not_certain_is_not_guessed() {
        for source in [
            "from prefect import Flow\nf = Flow(name())",
            "from prefect import Flow\nf = Flow()",
            "from prefect import Flow\nf = Flow(f'etl-{x}')",
        ] {
            assert_eq!(flows(source), (vec![], vec![2]), "{source}");
        }
        let twice = "from prefect import Flow\nN = 'a'\nN = 'b'\nf = Flow(N)";
        assert_eq!(flows(twice), (vec![], vec![4]));
        assert_eq!(flows("from other import Flow\nf = Flow('etl')"), (vec![], vec![]));
        assert_eq!(flows("# Flow('x')\ns = \"Flow('y')\""), (vec![], vec![]));
    }

    #[test]
    fn syntax_errors_have_a_line() {
        let error = read("x = 1\nprint 'python 2'\n").expect_err("Python 2");
        assert_eq!(error.line, 2);
        assert!(!error.message.contains('\n'), "{}", error.message);
    }
}
