//! One expression in CEL (<https://cel.dev>), whose names were all found in a sample before it is used.
//!
//! The evaluator reports a field that is not there only where it comes to it, which `a && b.typo` may never do. So each
//! name is followed through the expression when it is read: into fields, and into lists that `exists` and its like bind a
//! name to.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{anyhow, bail};
use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::{Context, Program};
use serde_json::Value;

use super::sample::WORDS;

/// Longest expression, in bytes.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// An expression that is true or false.
#[derive(Debug)]
pub(crate) struct Expression {
    text: String,
    program: Program,
    /// Numbers with a fraction that stand in it.
    numbers: Vec<f64>,
}

impl Expression {
    /// Reads an expression over variables of which the sample has every field.
    pub(crate) fn compile(text: &str, sample: &Value) -> anyhow::Result<Expression> {
        if text.len() > TEXT_BYTES_MAX {
            bail!("an expression is longer than {TEXT_BYTES_MAX} bytes");
        }
        let shown = text.trim();
        let program = Program::compile(text).map_err(|errors| {
            let first = errors.to_string();
            anyhow!("`{shown}` is no CEL: {}", first.lines().next().unwrap_or_default())
        })?;
        let mut names = Names { scopes: vec![scope_of(sample)], numbers: Vec::new(), bad: None };
        names.follow(program.expression());
        if let Some(bad) = names.bad {
            bail!("`{shown}`: {bad}");
        }
        let expression = Expression { text: shown.to_owned(), numbers: names.numbers, program };
        expression.holds(sample).map_err(|error| anyhow!("`{shown}`: {error}"))?;
        Ok(expression)
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The numbers with a fraction that stand in it: what it can tell scores apart by.
    pub(super) fn numbers(&self) -> &[f64] {
        &self.numbers
    }

    /// Whether it holds of these facts.
    pub(crate) fn holds(&self, facts: &Value) -> Result<bool, String> {
        let mut context = Context::default();
        for (name, value) in facts.as_object().into_iter().flatten() {
            context.add_variable(name.as_str(), value).map_err(|error| error.to_string())?;
        }
        match self.program.execute(&context) {
            Ok(cel::Value::Bool(holds)) => Ok(holds),
            Ok(_) => Err("it is neither true nor false".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What is known of a name: the path that leads to it and what the sample has there; `None` for what an expression makes
/// itself.
type Known<'a> = Option<(String, &'a Value)>;

fn scope_of(sample: &Value) -> BTreeMap<String, Known<'_>> {
    let fields = sample.as_object().into_iter().flatten();
    fields.map(|(name, value)| (name.clone(), Some((name.clone(), value)))).collect()
}

struct Names<'a> {
    scopes: Vec<BTreeMap<String, Known<'a>>>,
    numbers: Vec<f64>,
    /// The first thing that is wrong.
    bad: Option<String>,
}

impl<'a> Names<'a> {
    fn wrong(&mut self, what: String) {
        self.bad.get_or_insert(what);
    }

    /// Follows all names of an expression; what the sample has where it leads, if it leads into it.
    fn follow(&mut self, expression: &IdedExpr) -> Known<'a> {
        match &expression.expr {
            Expr::Ident(name) => {
                let known = self.scopes.iter().rev().find_map(|scope| scope.get(name)).cloned();
                if known.is_none() {
                    let there: Vec<&str> = self
                        .scopes
                        .first()
                        .map_or(Vec::new(), |scope| scope.keys().map(String::as_str).collect());
                    let there = there.join("`, `");
                    self.wrong(format!("there is no `{name}`; there is `{there}`"));
                }
                known.flatten()
            }
            Expr::Select(select) => {
                let (path, value) = self.follow(&select.operand)?;
                let field = &select.field;
                let Some(fields) = value.as_object() else {
                    self.wrong(format!("`{path}` has no fields"));
                    return None;
                };
                if !fields.contains_key(field) {
                    let there: Vec<&str> = fields.keys().map(String::as_str).collect();
                    self.wrong(format!("`{path}` has no `{field}`; it has `{}`", there.join("`, `")));
                }
                fields.get(field).map(|value| (format!("{path}.{field}"), value))
            }
            Expr::Call(call) => {
                let target = call.target.iter().map(AsRef::as_ref);
                let known: Vec<(&IdedExpr, Known<'a>)> =
                    target.chain(&call.args).map(|one| (one, self.follow(one))).collect();
                self.words(&known);
                None
            }
            Expr::Comprehension(comprehension) => {
                self.bound(comprehension);
                None
            }
            Expr::List(list) => {
                for element in &list.elements {
                    self.follow(element);
                }
                None
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.follow(&entry.key);
                        self.follow(&entry.value);
                    }
                }
                None
            }
            Expr::Struct(made) => {
                self.wrong(format!("`{}` cannot be made here", made.type_name));
                None
            }
            Expr::Literal(literal) => {
                if let LiteralValue::Double(number) = literal {
                    self.numbers.push(*number.inner());
                }
                None
            }
            Expr::Unspecified => None,
        }
    }

    /// Follows what `exists` and its like do with each element of a list.
    fn bound(&mut self, comprehension: &ComprehensionExpr) {
        let range = self.follow(&comprehension.iter_range);
        let element = range.and_then(|(path, value)| Some((path, value.as_array()?.first()?)));
        let mut scope = BTreeMap::from([
            (comprehension.iter_var.clone(), element),
            (comprehension.accu_var.clone(), None),
        ]);
        if let Some(second) = &comprehension.iter_var2 {
            scope.insert(second.clone(), None);
        }
        self.follow(&comprehension.accu_init);
        self.scopes.push(scope);
        for part in [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result] {
            self.follow(part);
        }
        self.scopes.pop();
    }

    /// Where one side is a field of a few words, the other may hold no other word: it would never be equal.
    fn words(&mut self, sides: &[(&IdedExpr, Known<'a>)]) {
        let field = sides.iter().find_map(|(_, known)| {
            let (path, _) = known.as_ref()?;
            WORDS.iter().find(|(of, _)| of == path)
        });
        let Some((path, words)) = field else { return };
        for text in sides.iter().flat_map(|(side, _)| texts(side)) {
            if !words.contains(&text) {
                self.wrong(format!("`{path}` is never `{text}`; it is one of `{}`", words.join("`, `")));
            }
        }
    }
}

/// The texts that an expression is, or is a list of.
fn texts(expression: &IdedExpr) -> Vec<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => vec![text.inner()],
        Expr::List(list) => list.elements.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}
