//! Bounds what an expression can cost before it ever runs.
//!
//! JMESPath has no loops, recursion or look-up from inside a projection to the outside, so the work and the size of the
//! result grow at most linearly with the input; only the factor depends on the expression. That factor is computed
//! here, node by node. Never runs anything.

use jpx_core::ast::Ast;
use serde_json::Value;

use super::{CompileError, MAX_INPUT, children, measure};

/// Work that one evaluation may cost, in bytes looked at or copied: some tens of milliseconds at the very worst.
const BUDGET: u64 = 16 * 1024 * 1024;
/// A size of claims that every expression must be able to afford, in bytes.
const ORDINARY_INPUT: usize = 8 * 1024;
/// Deepest syntax tree; the evaluator stops at 128 by itself.
const MAX_TREE: usize = 100;
/// The functions of the JMESPath specification: how many arguments they take, and whether they take more.
const FUNCTIONS: [(&str, usize, bool); 26] = [
    ("abs", 1, false),
    ("avg", 1, false),
    ("ceil", 1, false),
    ("contains", 2, false),
    ("ends_with", 2, false),
    ("floor", 1, false),
    ("join", 2, false),
    ("keys", 1, false),
    ("length", 1, false),
    ("map", 2, false),
    ("max", 1, false),
    ("max_by", 2, false),
    ("merge", 1, true),
    ("min", 1, false),
    ("min_by", 2, false),
    ("not_null", 1, true),
    ("reverse", 1, false),
    ("sort", 1, false),
    ("sort_by", 2, false),
    ("starts_with", 2, false),
    ("sum", 1, false),
    ("to_array", 1, false),
    ("to_number", 1, false),
    ("to_string", 1, false),
    ("type", 1, false),
    ("values", 1, false),
];

/// A bound that grows linearly with the input: `factor * input + constant`. Saturates, so an overflow reads as "too much".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Linear {
    factor: u64,
    constant: u64,
}

impl Linear {
    const fn new(factor: u64, constant: u64) -> Self {
        Self { factor, constant }
    }

    /// Tells whether a document of `bytes` stays within the budget.
    pub(super) fn affordable(self, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.factor.saturating_mul(bytes).saturating_add(self.constant) <= BUDGET
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            factor: self.factor.saturating_add(other.factor),
            constant: self.constant.saturating_add(other.constant),
        }
    }

    const fn times(self, by: u64) -> Self {
        Self {
            factor: self.factor.saturating_mul(by),
            constant: self.constant.saturating_mul(by),
        }
    }

    /// A bound that is affordable wherever one of the two is.
    pub(super) fn smaller(self, other: Self) -> Self {
        Self {
            factor: self.factor.min(other.factor),
            constant: self.constant.min(other.constant),
        }
    }

    fn larger(self, other: Self) -> Self {
        Self {
            factor: self.factor.max(other.factor),
            constant: self.constant.max(other.constant),
        }
    }

    /// This bound when its input is itself bounded by `inner`.
    const fn after(self, inner: Self) -> Self {
        inner.times(self.factor).plus(Self::new(0, self.constant))
    }

    /// This bound when applied to every element of a list bounded by `list`: a list has fewer elements than bytes.
    const fn for_each(self, list: Self) -> Self {
        list.times(self.factor.saturating_add(self.constant))
    }
}

/// Size of a number, boolean or null.
const SCALAR: Linear = Linear::new(0, 8);

/// What evaluating a node costs, and how large its result is.
#[derive(Clone, Copy)]
struct Bound {
    work: Linear,
    output: Linear,
}

/// Bounds the work of an expression.
///
/// # Errors
/// [`CompileError`] if it calls unknown functions, nests too deeply, or cannot afford ordinary claims.
pub(super) fn of(ast: &Ast) -> Result<Linear, CompileError> {
    let work = bound(ast, 0)?.work;
    if work.affordable(ORDINARY_INPUT) {
        Ok(work)
    } else {
        Err(CompileError {
            offset: 0,
            message: "the expression multiplies its input too often".to_owned(),
        })
    }
}

fn bound(node: &Ast, depth: usize) -> Result<Bound, CompileError> {
    if depth > MAX_TREE {
        return Err(CompileError {
            offset: 0,
            message: "the expression chains too many steps".to_owned(),
        });
    }
    let deeper = depth + 1;
    let whole = Linear::new(1, 0);
    Ok(match node {
        Ast::Identity { .. } | Ast::Field { .. } | Ast::Index { .. } => Bound {
            work: Linear::new(0, 1),
            output: whole,
        },
        // Borrowed, not copied: only what is built from it costs.
        Ast::Literal { value, .. } => Bound {
            work: Linear::new(0, 1),
            output: Linear::new(0, literal_size(value)),
        },
        Ast::Slice { .. } => Bound {
            work: whole,
            output: whole,
        },
        Ast::Subexpr { lhs, rhs, .. } => chained(bound(lhs, deeper)?, bound(rhs, deeper)?),
        Ast::Projection { lhs, rhs, .. } => each(bound(lhs, deeper)?, bound(rhs, deeper)?),
        Ast::Comparison { lhs, rhs, .. } => compared(bound(lhs, deeper)?, bound(rhs, deeper)?),
        Ast::And { lhs, rhs, .. }
        | Ast::Or { lhs, rhs, .. }
        | Ast::Condition {
            predicate: lhs,
            then: rhs,
            ..
        } => {
            let (left, right) = (bound(lhs, deeper)?, bound(rhs, deeper)?);
            Bound {
                work: left.work.plus(right.work),
                output: left.output.larger(right.output),
            }
        }
        Ast::Flatten { node, .. } | Ast::ObjectValues { node, .. } => {
            let inner = bound(node, deeper)?;
            Bound {
                work: inner.work.plus(inner.output),
                output: inner.output,
            }
        }
        Ast::Not { node, .. } => Bound {
            work: bound(node, deeper)?.work,
            output: SCALAR,
        },
        Ast::MultiList { .. } | Ast::MultiHash { .. } => collected(node, deeper)?,
        Ast::Expref { ast, .. } => Bound {
            work: Linear::new(0, 64),
            output: bound(ast, deeper)?.output,
        },
        Ast::Function { name, args, offset } => function(name, args, *offset, deeper)?,
    })
}

fn chained(left: Bound, right: Bound) -> Bound {
    let output = right.output.after(left.output);
    Bound {
        work: left.work.plus(right.work.after(left.output)).plus(output),
        output,
    }
}

/// Comparing ends where the smaller side ends, so a constant side says nothing about the work.
fn compared(left: Bound, right: Bound) -> Bound {
    let size = if left.output.factor == 0 {
        right.output
    } else {
        left.output
    };
    let size = Linear::new(size.factor, size.constant.min(8));
    Bound {
        work: left.work.plus(right.work).plus(size),
        output: SCALAR,
    }
}

fn collected(node: &Ast, depth: usize) -> Result<Bound, CompileError> {
    let mut sum = Bound {
        work: Linear::default(),
        output: SCALAR,
    };
    for child in children(node) {
        let child = bound(child, depth)?;
        let copied = child.output.plus(SCALAR);
        sum = Bound {
            work: sum.work.plus(child.work).plus(copied),
            output: sum.output.plus(copied),
        };
    }
    Ok(sum)
}

fn each(list: Bound, body: Bound) -> Bound {
    let output = body.output.for_each(list.output);
    Bound {
        work: list.work.plus(body.work.for_each(list.output)).plus(output),
        output,
    }
}

fn function(name: &str, args: &[Ast], offset: usize, depth: usize) -> Result<Bound, CompileError> {
    // The parser points at the parenthesis; the name is what people look for.
    let offset = offset.saturating_sub(name.len());
    let Some((_, wanted, more)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
        let known = FUNCTIONS.iter().map(|(known, ..)| *known);
        let hint = crate::mapping::suggest(name, known).map(|near| format!(", did you mean {near}?"));
        return Err(CompileError {
            offset,
            message: format!("there is no function {name}{}", hint.unwrap_or_default()),
        });
    };
    if args.len() < *wanted || (args.len() > *wanted && !more) {
        let plural = if *wanted == 1 { "" } else { "s" };
        return Err(CompileError {
            offset,
            message: format!("{name} takes {wanted} argument{plural}, not {}", args.len()),
        });
    }
    let mut work = Linear::new(0, 4);
    let mut sizes = Linear::default();
    let mut bodies = Vec::new();
    let mut plain = Vec::new();
    for argument in args {
        if let Ast::Expref { ast, .. } = argument {
            bodies.push(bound(ast, depth)?);
        } else {
            let argument = bound(argument, depth)?;
            work = work.plus(argument.work);
            sizes = sizes.plus(argument.output);
            plain.push(argument);
        }
    }
    let list = Bound {
        work: Linear::default(),
        output: sizes,
    };
    for body in &bodies {
        work = work.plus(each(list, *body).work);
    }
    let output = match name {
        "map" => bodies.first().map_or(sizes, |body| body.output.for_each(sizes)),
        // A string in a list gets quotes and escapes: at most six bytes for one (a control character).
        "to_string" => sizes.times(6).plus(Linear::new(0, 2)),
        // Glue stands between elements: its size counts once for each.
        "join" => plain.first().map_or(sizes, |glue| {
            let glue = glue
                .output
                .factor
                .saturating_mul(MAX_INPUT as u64)
                .saturating_add(glue.output.constant);
            sizes.times(glue.saturating_add(1))
        }),
        "abs" | "avg" | "ceil" | "contains" | "ends_with" | "floor" | "length" | "starts_with" | "sum"
        | "to_number" | "type" => Linear::new(0, 24),
        _ => sizes.plus(Linear::new(0, 8)),
    };
    Ok(Bound {
        work: work.plus(sizes).plus(output),
        output,
    })
}

/// A placeholder inside may become an organization id, so there is room for one.
fn literal_size(value: &Value) -> u64 {
    const ROOM: usize = 64;
    let room = if super::template::mentions_in_value(value) {
        ROOM
    } else {
        0
    };
    u64::try_from(measure(value).bytes + room).unwrap_or(u64::MAX)
}
