//! Expressions.
//!
//! **Invariant:** the value of an expression is Python's, or unknown for the innermost expression
//! that is not known.

use ruff_python_ast::{
    BoolOp, Expr, ExprBinOp, ExprBoolOp, ExprCall, ExprLambda, ExprSlice, ExprSubscript, Number,
};
use ruff_text_size::Ranged;

use super::interpreter::{Control, Interpreter, Res};
use super::object::{Args, Binding, Code, Function, Obj};
use super::value::{Datum, V, Why};

/// Methods that give another value of the same kind, or its text.
const VALUE_METHODS: [&str; 16] = [
    "date",
    "decode",
    "encode",
    "format",
    "isoformat",
    "lower",
    "lstrip",
    "replace",
    "rstrip",
    "split",
    "splitlines",
    "strftime",
    "strip",
    "timestamp",
    "title",
    "upper",
];
/// Items of one container.
pub(super) const MOST_ITEMS: usize = 100_000;

impl<'a> Interpreter<'a> {
    pub(super) fn eval(&mut self, expr: &'a Expr) -> Res<V> {
        self.deeper(|this| this.expression(expr)).unwrap_or_else(|| Ok(self.unknown(expr)))
    }

    fn expression(&mut self, expr: &'a Expr) -> Res<V> {
        Ok(match expr {
            Expr::StringLiteral(literal) => V::text(literal.value.to_str()),
            Expr::BytesLiteral(literal) => {
                V::Bytes(literal.value.bytes().collect::<Vec<u8>>().into())
            }
            Expr::NumberLiteral(literal) => match &literal.value {
                Number::Int(int) => int.as_i64().map_or_else(|| self.unknown(expr), V::Int),
                Number::Float(float) => V::Float(*float),
                Number::Complex { .. } => self.unknown(expr),
            },
            Expr::BooleanLiteral(literal) => V::Bool(literal.value),
            Expr::NoneLiteral(_) => V::None,
            Expr::EllipsisLiteral(_) => V::Ellipsis,
            Expr::Name(name) => self.name(&name.id, name),
            Expr::FString(string) => self.f_string(string)?,
            Expr::Attribute(attribute) => {
                let object = self.eval(&attribute.value)?;
                let span = self.span(expr.range());
                if VALUE_METHODS.contains(&attribute.attr.as_str())
                    && let Some(unknown) = self.derived(&object, &attribute.value)
                {
                    return Ok(unknown);
                }
                match self.extended(&object, &attribute.value, expr) {
                    Some(unknown) => {
                        self.unknown_attribute(&attribute.attr);
                        unknown
                    }
                    None => self.attribute(&object, &attribute.attr, span)?,
                }
            }
            Expr::Subscript(subscript) => self.subscript(subscript, expr)?,
            Expr::Call(call) => self.call_expression(call, expr)?,
            Expr::BinOp(operation) => self.operations(operation)?,
            Expr::BoolOp(operation) => self.bool_operation(operation)?,
            Expr::UnaryOp(operation) => {
                let operand = self.eval(&operation.operand)?;
                self.unary(operation.op, &operand, self.span(expr.range()))
            }
            Expr::Compare(compare) => self.compare(compare)?,
            Expr::If(conditional) => match self.condition(&conditional.test)? {
                Ok(true) => self.eval(&conditional.body)?,
                Ok(false) => self.eval(&conditional.orelse)?,
                Err(why) => self.either(&conditional.body, &conditional.orelse, &why)?,
            },
            Expr::Lambda(lambda) => self.lambda(lambda)?,
            Expr::Named(named) => {
                let value = self.eval(&named.value)?;
                self.assign(&named.target, value.clone())?;
                value
            }
            Expr::Await(await_) => self.eval(&await_.value)?,
            Expr::Starred(starred) => self.eval(&starred.value)?,
            Expr::Yield(yield_) => {
                if let Some(value) = &yield_.value {
                    let value = self.eval(value)?;
                    let datum = Datum::new(value, self.span(expr.range()));
                    self.give(vec![datum]);
                }
                self.unknown(expr)
            }
            Expr::YieldFrom(yield_) => {
                let items = self.items_of(&yield_.value)?;
                let span = self.span(expr.range());
                let items = match items {
                    Ok((items, false)) => items,
                    Ok((_, true)) => vec![Datum::new(self.unknown(expr), span)],
                    Err(why) => vec![Datum::new(V::Unknown(why), span)],
                };
                self.give(items);
                self.unknown(expr)
            }
            Expr::TString(_) | Expr::Slice(_) | Expr::IpyEscapeCommand(_) => self.unknown(expr),
            display => self.display(display)?.unwrap_or_else(|| self.unknown(expr)),
        })
    }

    /// What a generator gives.
    fn give(&mut self, items: Vec<Datum>) {
        if let Some(id) = self.frame().yielded
            && let Obj::List(list) = self.heap.change(id)
            && list.len() < MOST_ITEMS
        {
            list.extend(items);
        }
    }

    fn lambda(&mut self, lambda: &'a ExprLambda) -> Res<V> {
        let parameters = lambda.parameters.as_deref();
        let defaults = self.defaults(parameters)?;
        let function = Function {
            name: "<lambda>".into(),
            code: Code::Lambda { parameters, body: &lambda.body },
            source: self.frame().source,
            globals: self.frame().globals,
            enclosing: self.closure(),
            defaults,
            class: None,
            binding: Binding::Method,
            at: self.span(lambda.range()),
            setter: None,
            cached: false,
            wrapped: false,
        };
        Ok(V::Ref(self.heap.add(Obj::Function(function))))
    }

    /// An attribute, item or call of an expression that is not known is itself the expression that
    /// is not known: `Secret("x").get()` says more than `Secret("x")`.
    fn extended(&self, value: &V, part: &Expr, whole: &Expr) -> Option<V> {
        match value {
            V::Unknown(why) => Some(V::Unknown(self.extend(why, part, whole))),
            V::Unset(why) => Some(V::Unknown(why.clone())),
            _ => None,
        }
    }

    /// What is made of a text, number or time from outside is not known for the reason of that.
    fn derived(&self, value: &V, part: &Expr) -> Option<V> {
        match value {
            V::External(path, why)
                if path.contains("()") && why.span != self.span(part.range()) =>
            {
                Some(V::Unknown(why.clone()))
            }
            _ => None,
        }
    }

    fn extend(&self, why: &Why, part: &Expr, whole: &Expr) -> Why {
        if why.because.is_none() && why.span == self.span(part.range()) {
            return Why::at(self.span(whole.range()));
        }
        why.clone()
    }

    fn subscript(&mut self, subscript: &'a ExprSubscript, whole: &'a Expr) -> Res<V> {
        let object = self.eval(&subscript.value)?;
        if let Some(unknown) = self.extended(&object, &subscript.value, whole) {
            if let V::Unknown(why) = &object {
                self.perhaps("KeyError", why);
                self.perhaps("IndexError", why);
            }
            // A piece of a text says no more than the text.
            if let (Expr::Slice(slice), V::Unknown(_)) = (&*subscript.slice, &object) {
                self.bounds(slice)?;
                return Ok(object);
            }
            self.eval(&subscript.slice)?;
            return Ok(unknown);
        }
        if matches!(&*subscript.slice, Expr::Slice(_) | Expr::NumberLiteral(_))
            && let Some(unknown) = self.derived(&object, &subscript.value)
        {
            return Ok(unknown);
        }
        let span = self.span(whole.range());
        if let Expr::Slice(slice) = &*subscript.slice {
            let bounds = self.bounds(slice)?;
            return Ok(self.slice(&object, &bounds, span));
        }
        let key = self.eval(&subscript.slice)?;
        self.item(&object, &key, span)
    }

    /// Lower and upper bound and step of a slice.
    pub(super) fn bounds(&mut self, slice: &'a ExprSlice) -> Res<[V; 3]> {
        let mut bounds = [V::None, V::None, V::None];
        for (bound, expr) in bounds.iter_mut().zip([&slice.lower, &slice.upper, &slice.step]) {
            if let Some(expr) = expr {
                *bound = self.eval(expr)?;
            }
        }
        Ok(bounds)
    }

    fn call_expression(&mut self, call: &'a ExprCall, whole: &'a Expr) -> Res<V> {
        let function = self.eval(&call.func)?;
        let span = self.span(whole.range());
        let args = self.arguments(call)?;
        if let Some(unknown) = self.extended(&function, &call.func, whole) {
            return Ok(unknown);
        }
        let result = self.call(&function, args, span)?;
        // `a.b().c()` is one expression, where `a.b` is something outside of the script.
        if let (V::Unknown(why), V::External(_, at)) = (&result, &function)
            && why == at
        {
            return Ok(V::Unknown(Why::at(span)));
        }
        Ok(result)
    }

    fn arguments(&mut self, call: &'a ExprCall) -> Res<Args> {
        let mut args = Args::default();
        for argument in &call.arguments.args {
            if let Expr::Starred(starred) = argument {
                match self.items_of(&starred.value)? {
                    Ok((items, false)) => args.positional.extend(items),
                    Ok((_, true)) => args.more = Some(Why::at(self.span(argument.range()))),
                    Err(why) => args.more = Some(why),
                }
            } else {
                let value = self.eval(argument)?;
                args.positional.push(Datum::new(value, self.span(argument.range())));
            }
        }
        for keyword in &call.arguments.keywords {
            let value = self.eval(&keyword.value)?;
            let span = self.span(keyword.range());
            match &keyword.arg {
                Some(name) => args.keywords.push((name.id.clone(), Datum::new(value, span))),
                None => self.spread(&value, &mut args, self.span(keyword.value.range())),
            }
        }
        Ok(args)
    }

    /// `**mapping` in a call.
    fn spread(&self, mapping: &V, args: &mut Args, span: super::value::Span) {
        let dict = match mapping {
            V::Ref(id) => match self.heap.get(*id) {
                Obj::Dict(dict) => Some(dict),
                Obj::Lost(why) => {
                    args.rest = Some(why.clone());
                    return;
                }
                _ => None,
            },
            _ => None,
        };
        let Some(dict) = dict else {
            args.rest = Some(mapping.why().cloned().unwrap_or_else(|| Why::at(span)));
            return;
        };
        for (key, datum) in dict.iter() {
            if let V::Str(key) = key {
                args.keywords.push(((&**key).into(), datum.clone()));
            }
        }
        if let Some(why) = &dict.rest {
            args.rest = Some(why.clone());
        }
    }

    /// A conditional expression whose condition is not known.
    fn either(&mut self, a: &'a Expr, b: &'a Expr, why: &Why) -> Res<V> {
        let a = self.way(|this| this.eval(a).map(Control::Return));
        let b = self.way(|this| this.eval(b).map(Control::Return));
        match self.join(a, b, why)? {
            Control::Return(value) => Ok(value),
            _ => Ok(V::Unknown(why.clone())),
        }
    }

    fn operations(&mut self, operation: &'a ExprBinOp) -> Res<V> {
        // `a + b + c + …` leans to the left, as deep as it is long.
        let mut chain = vec![operation];
        while let Expr::BinOp(left) = &*chain[chain.len() - 1].left {
            chain.push(left);
        }
        let mut value = self.eval(&chain[chain.len() - 1].left)?;
        for operation in chain.into_iter().rev() {
            let right = self.eval(&operation.right)?;
            value = self.binary(&value, operation.op, &right, self.span(operation.range()))?;
        }
        Ok(value)
    }

    fn bool_operation(&mut self, operation: &'a ExprBoolOp) -> Res<V> {
        let Some((last, first)) = operation.values.split_last() else {
            return Ok(self.unknown(operation));
        };
        for (at, expr) in first.iter().enumerate() {
            let value = self.eval(expr)?;
            let span = self.span(expr.range());
            match (self.truth(&value, span), operation.op) {
                (Ok(true), BoolOp::Or) | (Ok(false), BoolOp::And) => return Ok(value),
                (Ok(_), _) => {}
                (Err(why), op) => {
                    return self.uncertain_operands(&operation.values[at + 1..], op, why);
                }
            }
        }
        self.eval(last)
    }

    /// The rest of an operation whose first operands are not known may be evaluated, or not.
    fn uncertain_operands(&mut self, rest: &'a [Expr], op: BoolOp, why: Why) -> Res<V> {
        let some = self.way(|this| {
            for expr in rest {
                let value = this.eval(expr)?;
                let span = this.span(expr.range());
                if this.truth(&value, span) == Ok(op == BoolOp::Or) {
                    break;
                }
            }
            Ok(Control::Next)
        });
        let none = self.way(|_| Ok(Control::Next));
        self.join(some, none, &why)?;
        Ok(V::Unknown(why))
    }
}
