//! Conditions to SQL. Every piece is true or false, never null, so that negations mean the same on both engines. Values
//! are bound; names of attributes are written out, as labels without any letter that means something.

use jiff::Timestamp;

use super::condition::{Condition, Field, Literal, Operator};
use super::document::{EMAILS, VALUE, label};
use super::element::{Part, Source};
use super::lookup::{self, Among, united};
use super::text::{self, Binds};
use crate::error::{Result, StoreError};
use crate::value::{Bind, fold, json};

/// How deep conditions may nest, and how many parts they may have. The engines have limits of their own far beyond.
const DEPTH: usize = 40;
const PARTS: usize = 2_000;

/// What is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Users,
    Groups,
}

impl Kind {
    /// The column with the searched form of documents.
    pub(super) const fn search(self) -> &'static str {
        match self {
            Self::Users => "d.search",
            Self::Groups => "a.search",
        }
    }
}

/// What a field of a row is in SQL.
enum Column {
    Text {
        exact: &'static str,
        folded: &'static str,
        folds: bool,
    },
    Bool(&'static str),
    Millisecond(&'static str),
}

/// A condition on its way to SQL; `$1` is the connection.
pub(super) struct Compiler {
    kind: Kind,
    pub(super) binds: Binds,
    /// Whether the documents of accounts have to be joined.
    pub(super) needs_document: bool,
    /// Whether an index leads to few rows, so that none on the connection must be taken.
    pub(super) is_looked_up: bool,
    /// Whether every row must be read anyway and that costs little, so that a page may stop when it is full.
    pub(super) is_plain: bool,
    parts: usize,
}

/// A compiled condition.
struct Piece {
    sql: String,
    /// The only rows for which it can hold, if an index finds them.
    among: Option<Among>,
}

impl From<String> for Piece {
    fn from(sql: String) -> Self {
        Self { sql, among: None }
    }
}

impl Compiler {
    pub(super) fn new(kind: Kind, connection: &str) -> Self {
        Self {
            kind,
            binds: Binds(vec![Bind::from(connection)]),
            needs_document: false,
            is_looked_up: false,
            is_plain: true,
            parts: 0,
        }
    }

    /// Compiles a condition on a row.
    pub(super) fn condition(&mut self, condition: &Condition) -> Result<String> {
        let piece = self.within(condition, None, 0)?;
        Ok(match piece.among {
            Some(among) => {
                self.is_looked_up = true;
                self.is_plain = false;
                let select = among.select(&mut self.binds);
                format!("a.id IN ({{of}}{select}{{end}}) AND {}", piece.sql)
            }
            None => piece.sql,
        })
    }

    /// Compiles a condition on the element of a source, or on the row if there is none.
    fn within(&mut self, condition: &Condition, source: Option<Source>, depth: usize) -> Result<Piece> {
        self.parts += 1;
        if depth > DEPTH || self.parts > PARTS {
            return Err(StoreError::Refused("the condition is too large"));
        }
        match condition {
            Condition::All => Ok("TRUE".to_owned().into()),
            Condition::And(all) => {
                let pieces = self.all(all, source, depth)?;
                let sql = joined(&pieces, " AND ", "TRUE");
                let among = pieces.into_iter().filter_map(|piece| piece.among);
                let among = among.min_by_key(|among| among.rank);
                Ok(Piece { sql, among })
            }
            Condition::Or(any) => {
                let pieces = self.all(any, source, depth)?;
                let sql = joined(&pieces, " OR ", "FALSE");
                let among: Option<Vec<Among>> = pieces.into_iter().map(|piece| piece.among).collect();
                Ok(Piece {
                    sql,
                    among: among.and_then(united),
                })
            }
            Condition::Not(inner) => Ok(format!("NOT {}", self.within(inner, source, depth + 1)?.sql).into()),
            Condition::Compare {
                field,
                operator: Operator::NotEqual,
                literal,
            } => {
                let equal = self.compare(field, Operator::Equal, literal, source)?;
                Ok(format!("NOT {}", equal.sql).into())
            }
            Condition::Compare {
                field,
                operator,
                literal,
            } => self.compare(field, *operator, literal, source),
            Condition::Present(field) => Ok(self.present(field, source)?.into()),
            Condition::Element { attribute, condition } if source.is_none() => {
                self.element(&label(attribute), condition, depth)
            }
            Condition::Element { .. } => Err(StoreError::Refused("an element of an element")),
        }
    }

    fn all(&mut self, conditions: &[Condition], source: Option<Source>, depth: usize) -> Result<Vec<Piece>> {
        let pieces = conditions.iter();
        pieces
            .map(|condition| self.within(condition, source, depth + 1))
            .collect()
    }

    fn compare(
        &mut self,
        field: &Field,
        operator: Operator,
        literal: &Literal,
        source: Option<Source>,
    ) -> Result<Piece> {
        match (field, source) {
            (Field::Sub(name), Some(source)) => Ok(self.part(&source.part(name), operator, literal).into()),
            (Field::Attribute { name, sub }, None) => {
                let inner = Condition::Compare {
                    field: Field::Sub(sub.clone().unwrap_or_else(|| VALUE.to_owned())),
                    operator,
                    literal: literal.clone(),
                };
                self.element(&label(name), &inner, 0)
            }
            (field, None) => {
                let column = self.column(field)?;
                self.is_plain &= !matches!(field, Field::Id | Field::UserName | Field::ExternalId);
                let sql = self.compare_column(&column, operator, literal);
                let among = match literal {
                    // A capital letter may fold in another way in front of others (the Greek sigma does), so the beginning of
                    // a text is looked up only where it is the same folded.
                    Literal::Text { text, exact }
                        if !text.contains('\0')
                            && (operator != Operator::StartsWith || !exact || fold(text) == *text) =>
                    {
                        lookup::columns(self.kind, field, operator, text)
                    }
                    Literal::Text { .. } | Literal::Bool(_) | Literal::Number(_) | Literal::Instant(_) => {
                        None
                    }
                };
                Ok(Piece { sql, among })
            }
            (_, Some(_)) => Err(StoreError::Refused(
                "a field of the resource inside of an element",
            )),
        }
    }

    fn present(&mut self, field: &Field, source: Option<Source>) -> Result<String> {
        match (field, source) {
            (Field::Sub(name), Some(source)) => Ok(format!("{} IS NOT NULL", source.part(name).folded)),
            (Field::Attribute { name, sub: None }, None) => {
                Ok(self.element(&label(name), &Condition::All, 0)?.sql)
            }
            (Field::Attribute { name, sub: Some(sub) }, None) => {
                let inner = Condition::Present(Field::Sub(sub.clone()));
                Ok(self.element(&label(name), &inner, 0)?.sql)
            }
            (field, None) => Ok(match self.column(field)? {
                Column::Text { exact, .. } => format!("COALESCE({exact}, '') <> ''"),
                Column::Bool(_) | Column::Millisecond(_) => "TRUE".to_owned(),
            }),
            (_, Some(_)) => Err(StoreError::Refused(
                "a field of the resource inside of an element",
            )),
        }
    }

    /// Compiles a condition on one element of an attribute.
    fn element(&mut self, label: &str, condition: &Condition, depth: usize) -> Result<Piece> {
        let mut pieces = Vec::new();
        self.is_plain = false;
        for source in Source::of(self.kind, label) {
            self.needs_document |= matches!(source, Source::Document | Source::Address);
            let holds = self.within(condition, Some(*source), depth + 1)?.sql;
            pieces.push(source.exists(self.kind, label, &holds));
        }
        let exists = match pieces.as_slice() {
            [one] => one.clone(),
            several => format!("({})", several.join(" OR ")),
        };
        let wanted = certain_texts(condition);
        let found = wanted.iter().filter_map(|(part, text, operator)| match operator {
            Operator::Equal => lookup::elements(self.kind, label, part, text),
            Operator::StartsWith
                if self.kind == Kind::Users
                    && Source::of(self.kind, label) == [Source::Document]
                    && fold(text) == *text =>
            {
                lookup::listed_values(label, part, text, false)
            }
            Operator::StartsWith
            | Operator::NotEqual
            | Operator::Contains
            | Operator::EndsWith
            | Operator::Greater
            | Operator::GreaterOrEqual
            | Operator::Less
            | Operator::LessOrEqual => None,
        });
        if let Some(among) = found.min_by_key(|among| among.rank) {
            return Ok(Piece {
                sql: exists,
                among: Some(among),
            });
        }
        // No index; but most documents without the text anywhere need not be taken apart.
        let longest = wanted
            .iter()
            .map(|(_, text, _)| text)
            .max_by_key(|text| text.len());
        match longest {
            Some(text) if Source::of(self.kind, label) == [Source::Document] => {
                let written = json(text.as_str())?;
                let inside = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                let needle = self.binds.add(inside.unwrap_or(&written));
                let search = self.kind.search();
                Ok(format!("(COALESCE({{position}}({search}, {needle}), 0) > 0 AND {exists})").into())
            }
            Some(_) | None => Ok(exists.into()),
        }
    }

    /// Compares a part of an element.
    fn part(&mut self, part: &Part, operator: Operator, literal: &Literal) -> String {
        let binds = &mut self.binds;
        let mark = |letter| part.is_marked.then_some(letter);
        let comparison = match literal {
            Literal::Text { text, .. } if text.contains('\0') => return "FALSE".to_owned(),
            Literal::Text { text, exact: false } if part.folds => {
                text::compare(binds, &part.folded, mark('s'), operator, &fold(text))
            }
            Literal::Text { text, .. } => text::compare(binds, &part.exact, mark('s'), operator, text),
            Literal::Bool(is_true) if part.is_marked && operator == Operator::Equal => {
                format!("{} = '{}'", part.folded, text::boolean(*is_true))
            }
            Literal::Number(number) if part.is_marked && !is_for_texts(operator) => {
                let written = text::number(*number);
                text::compare(
                    binds,
                    &part.folded,
                    Some('n'),
                    operator,
                    written.trim_start_matches('n'),
                )
            }
            Literal::Instant(instant) if !is_for_texts(operator) => match &part.instant {
                Some(expression) => {
                    text::compare(binds, expression, None, operator, &text::instant(*instant))
                }
                None => return "FALSE".to_owned(),
            },
            Literal::Bool(_) | Literal::Number(_) | Literal::Instant(_) => return "FALSE".to_owned(),
        };
        format!("COALESCE({comparison}, FALSE)")
    }

    fn compare_column(&mut self, column: &Column, operator: Operator, literal: &Literal) -> String {
        let binds = &mut self.binds;
        match (column, literal) {
            (Column::Text { .. }, Literal::Text { text, .. }) if text.contains('\0') => "FALSE".to_owned(),
            (
                Column::Text { exact, folded, folds },
                Literal::Text {
                    text,
                    exact: is_exact,
                },
            ) => {
                let (column, text) = if *is_exact || !folds {
                    (*exact, text.clone())
                } else {
                    (*folded, fold(text))
                };
                let comparison = text::compare(binds, column, None, operator, &text);
                format!("({column} IS NOT NULL AND {comparison})")
            }
            (Column::Bool(holds), Literal::Bool(is_true)) if operator == Operator::Equal => {
                if *is_true {
                    format!("({holds})")
                } else {
                    format!("NOT ({holds})")
                }
            }
            (Column::Millisecond(column), Literal::Instant(instant)) => {
                compare_milliseconds(binds, column, operator, *instant)
            }
            (Column::Text { .. } | Column::Bool(_) | Column::Millisecond(_), _) => "FALSE".to_owned(),
        }
    }

    fn column(&self, field: &Field) -> Result<Column> {
        let text = |exact, folded, folds| Column::Text { exact, folded, folds };
        Ok(match (self.kind, field) {
            (_, Field::Id) => text("a.id", "a.id", false),
            (_, Field::ExternalId) => text("a.external_id", "a.external_id", false),
            (_, Field::Created) => Column::Millisecond("a.created_at"),
            (Kind::Users, Field::Modified) => Column::Millisecond("a.updated_at"),
            (Kind::Groups, Field::Modified) => Column::Millisecond(GROUP_MODIFIED),
            (Kind::Users, Field::UserName) => text(
                "COALESCE(a.user_name, a.email)",
                "COALESCE(a.user_name_key, a.email_key)",
                true,
            ),
            (Kind::Users, Field::Active) => Column::Bool("a.status IN ('active', 'invited')"),
            (Kind::Users, Field::GivenName) => text("a.given_name", "a.given_name_key", true),
            (Kind::Users, Field::FamilyName) => text("a.family_name", "a.family_name_key", true),
            (Kind::Users, Field::DisplayName) => text("a.display_name", "a.display_name_key", true),
            (Kind::Groups, Field::DisplayName) => text("a.name", "a.name_key", true),
            (Kind::Groups, Field::UserName | Field::Active | Field::GivenName | Field::FamilyName) => {
                return Err(StoreError::Refused("a group has no such field"));
            }
            (_, Field::Attribute { .. } | Field::Sub(_)) => {
                return Err(StoreError::Refused("a sub-attribute outside of an element"));
            }
        })
    }

    /// What a field is sorted by in SQL, and whether that is a text.
    pub(super) fn sort_key(&mut self, field: &Field) -> Result<(String, bool)> {
        let Field::Attribute { name, sub } = field else {
            return Ok(match self.column(field)? {
                Column::Text { folded, .. } => (folded.to_owned(), true),
                Column::Bool(holds) => (
                    format!("CASE WHEN {holds} THEN CAST(1 AS BIGINT) ELSE 0 END"),
                    false,
                ),
                Column::Millisecond(column) => (column.to_owned(), false),
            });
        };
        let (attribute, part) = (label(name), label(sub.as_deref().unwrap_or(VALUE)));
        if Source::of(self.kind, &attribute).contains(&Source::Document) {
            self.needs_document = true;
            let first = format!(
                "({{json:{}}} -> '{attribute}' -> 0 ->> '{part}')",
                self.kind.search()
            );
            if Source::of(self.kind, &attribute).contains(&Source::Address) {
                let address = Source::Address.part(&part).folded;
                let has_none = format!("COALESCE({{position}}(d.search, '\"{EMAILS}\":'), 0) = 0");
                return Ok((
                    format!("CASE WHEN {has_none} THEN {address} ELSE {first} END"),
                    true,
                ));
            }
            return Ok((first, true));
        }
        Err(StoreError::Refused("what memberships say cannot be sorted by"))
    }
}

fn joined(pieces: &[Piece], word: &str, none: &str) -> String {
    if pieces.is_empty() {
        return none.to_owned();
    }
    let pieces: Vec<&str> = pieces.iter().map(|piece| piece.sql.as_str()).collect();
    format!("({})", pieces.join(word))
}

/// When a group or its members last changed.
pub(super) const GROUP_MODIFIED: &str = "COALESCE((SELECT MAX(s.changed_at) FROM group_stamps s \
    WHERE s.group_id = a.id AND s.changed_at > a.updated_at), a.updated_at)";

const fn is_for_texts(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::Contains | Operator::StartsWith | Operator::EndsWith
    )
}

/// The texts that parts of an element must contain, or be equal to as a whole, whatever else the condition says.
fn certain_texts(condition: &Condition) -> Vec<(String, String, Operator)> {
    match condition {
        Condition::Compare {
            field: Field::Sub(part),
            operator:
                operator @ (Operator::Equal | Operator::Contains | Operator::StartsWith | Operator::EndsWith),
            literal: Literal::Text { text, exact },
        } if !text.contains('\0') => {
            // An exact text that folds to itself is written the same way in both forms.
            let text = if *exact { text.clone() } else { fold(text) };
            vec![(label(part), text, *operator)]
        }
        Condition::And(all) => all.iter().flat_map(certain_texts).collect(),
        Condition::All
        | Condition::Or(_)
        | Condition::Not(_)
        | Condition::Compare { .. }
        | Condition::Present(_)
        | Condition::Element { .. } => Vec::new(),
    }
}

/// Compares a column of whole milliseconds with an instant that may be finer.
fn compare_milliseconds(binds: &mut Binds, column: &str, operator: Operator, instant: Timestamp) -> String {
    let nanoseconds = instant.as_nanosecond();
    let (floor, is_whole) = (
        nanoseconds.div_euclid(1_000_000),
        nanoseconds.rem_euclid(1_000_000) == 0,
    );
    let floor = i64::try_from(floor).unwrap_or(i64::MAX);
    let ceiling = if is_whole { floor } else { floor.saturating_add(1) };
    let (sign, moment) = match operator {
        Operator::Equal if is_whole => ("=", floor),
        Operator::Greater => (">", floor),
        Operator::GreaterOrEqual => (">=", ceiling),
        Operator::Less => ("<", ceiling),
        Operator::LessOrEqual => ("<=", floor),
        Operator::Equal
        | Operator::NotEqual
        | Operator::Contains
        | Operator::StartsWith
        | Operator::EndsWith => return "FALSE".to_owned(),
    };
    format!("{column} {sign} {}", binds.add(moment))
}
