//! Reading a filter: recursive descent over tokens, with the limits checked in front of every step down.

use super::compare::comparison;
use super::token::{Token, tokens};
use super::{Filter, Limits, Operator};
use crate::error::excerpt;
use crate::path::AttributePath;
use crate::schema::{Attribute, Schemas};
use crate::{ResourceKind, ScimError, Version};

/// Reads a filter on a resource.
pub(super) fn resource(
    text: &str,
    kind: ResourceKind,
    schemas: &Schemas,
    limits: &Limits,
    version: Version,
) -> Result<Filter, ScimError> {
    run(text, Scope::Resource(kind, schemas), limits, version)
}

/// Reads the inside of a value path.
pub(super) fn element(text: &str, attribute: &Attribute, limits: &Limits) -> Result<Filter, ScimError> {
    run(text, Scope::Element(attribute), limits, Version::V2)
}

/// Against what names are resolved.
#[derive(Clone, Copy)]
enum Scope<'a> {
    Resource(ResourceKind, &'a Schemas),
    Element(&'a Attribute),
}

fn run(text: &str, scope: Scope<'_>, limits: &Limits, version: Version) -> Result<Filter, ScimError> {
    if text.len() > limits.chars {
        return Err(ScimError::invalid_filter(format!(
            "a filter has at most {} characters",
            limits.chars
        )));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        depth: 0,
        terms: 0,
        limits,
        version,
    };
    let filter = parser.alternatives(scope)?;
    match parser.peek() {
        None => Ok(filter),
        Some(token) => Err(unexpected(Some(token))),
    }
}

struct Parser<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
    depth: usize,
    terms: usize,
    limits: &'t Limits,
    version: Version,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t Token<'t>> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<&'t Token<'t>> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(text)) if text.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, token: &Token<'_>) -> Result<(), ScimError> {
        match self.next() {
            Some(found) if found == token => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    fn alternatives(&mut self, scope: Scope<'_>) -> Result<Filter, ScimError> {
        let mut filters = vec![self.conjunction(scope)?];
        while self.take_word("or") {
            filters.push(self.conjunction(scope)?);
        }
        Ok(one_or(filters, Filter::Or))
    }

    fn conjunction(&mut self, scope: Scope<'_>) -> Result<Filter, ScimError> {
        let mut filters = vec![self.term(scope)?];
        while self.take_word("and") {
            filters.push(self.term(scope)?);
        }
        Ok(one_or(filters, Filter::And))
    }

    fn term(&mut self, scope: Scope<'_>) -> Result<Filter, ScimError> {
        match self.next() {
            Some(Token::Open) => self.group(scope),
            Some(Token::Word(word)) => {
                if word.eq_ignore_ascii_case("not") && self.peek() == Some(&Token::Open) {
                    self.only_in_v2("not")?;
                    self.at += 1;
                    return Ok(Filter::Not(Box::new(self.group(scope)?)));
                }
                self.attribute(word, scope)
            }
            other => Err(unexpected(other)),
        }
    }

    /// What stands in parentheses; the opening one is read.
    fn group(&mut self, scope: Scope<'_>) -> Result<Filter, ScimError> {
        self.down()?;
        let inner = self.alternatives(scope)?;
        self.expect(&Token::Close)?;
        self.depth -= 1;
        Ok(inner)
    }

    fn attribute(&mut self, word: &str, scope: Scope<'_>) -> Result<Filter, ScimError> {
        if self.peek() == Some(&Token::OpenBracket) {
            return self.value_path(word, scope);
        }
        let (path, attribute) = match scope {
            Scope::Resource(kind, schemas) => {
                let path = AttributePath::resolve(word, kind, schemas)?;
                let found = schemas.find(kind, path.extension.as_deref(), &path.attribute);
                (path, found.map(|found| found.attribute.as_ref()))
            }
            Scope::Element(attribute) => {
                let path = AttributePath::resolve_in_element(word, attribute)?;
                let sub = attribute.sub(&path.attribute);
                (path, sub)
            }
        };
        self.compare(path, attribute)
    }

    /// `attribute[…]`, or `attribute[…].sub op value`, which holds if one element fits both.
    fn value_path(&mut self, word: &str, scope: Scope<'_>) -> Result<Filter, ScimError> {
        self.only_in_v2("a filter in brackets")?;
        let Scope::Resource(kind, schemas) = scope else {
            return Err(ScimError::invalid_filter("brackets cannot be nested"));
        };
        let path = AttributePath::resolve(word, kind, schemas)?;
        let found = schemas.find(kind, path.extension.as_deref(), &path.attribute);
        let Some(attribute) = found.map(|found| found.attribute).filter(|_| path.sub.is_none()) else {
            return Err(ScimError::invalid_filter(format!(
                "'{}' cannot be followed by brackets",
                excerpt(word)
            )));
        };
        if !attribute.is_complex() && !attribute.multi_valued {
            return Err(ScimError::invalid_filter(format!(
                "'{path}' has one plain value and cannot be followed by brackets"
            )));
        }
        self.at += 1;
        self.down()?;
        let element = Scope::Element(attribute);
        let mut inner = self.alternatives(element)?;
        self.expect(&Token::CloseBracket)?;
        self.depth -= 1;
        if let Some(Token::Word(word)) = self.peek()
            && let Some(sub) = word.strip_prefix('.')
        {
            self.at += 1;
            let compared = self.attribute(sub, element)?;
            inner = Filter::And(vec![inner, compared]);
        }
        Ok(Filter::Element(path, Box::new(inner)))
    }

    fn compare(&mut self, path: AttributePath, attribute: Option<&Attribute>) -> Result<Filter, ScimError> {
        self.terms += 1;
        if self.terms > self.limits.terms {
            return Err(ScimError::invalid_filter(format!(
                "a filter has at most {} comparisons",
                self.limits.terms
            )));
        }
        let word = self.next();
        let Some(Token::Word(word)) = word else {
            return Err(unexpected(word));
        };
        let operator = Operator::parse(word).ok_or_else(|| unknown_operator(word))?;
        if matches!(operator, Operator::Ne | Operator::Ew) {
            self.only_in_v2("this operator")?;
        }
        let path = if operator == Operator::Pr {
            path
        } else {
            path.compared(attribute)?
        };
        let literal = if operator == Operator::Pr {
            None
        } else {
            self.next()
        };
        let is_literal = matches!(literal, Some(Token::Word(_) | Token::Text(_)));
        if operator != Operator::Pr && !is_literal {
            return Err(unexpected(literal));
        }
        comparison(path, operator, literal).map(Filter::Compare)
    }

    fn down(&mut self) -> Result<(), ScimError> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(ScimError::invalid_filter(format!(
                "a filter is nested at most {} levels deep",
                self.limits.depth
            )));
        }
        Ok(())
    }

    fn only_in_v2(&self, what: &str) -> Result<(), ScimError> {
        match self.version {
            Version::V2 => Ok(()),
            Version::V1 => Err(ScimError::invalid_filter(format!(
                "{what} is not part of SCIM 1.1"
            ))),
        }
    }
}

/// Leaves a single filter as it is and joins several.
fn one_or(mut filters: Vec<Filter>, join: impl FnOnce(Vec<Filter>) -> Filter) -> Filter {
    match (filters.len(), filters.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            filters.push(last);
            join(filters)
        }
        (_, None) => join(filters),
    }
}

fn unexpected(token: Option<&Token<'_>>) -> ScimError {
    let found = match token {
        None => "the end of the filter".to_owned(),
        Some(Token::Open) => "'('".to_owned(),
        Some(Token::Close) => "')'".to_owned(),
        Some(Token::OpenBracket) => "'['".to_owned(),
        Some(Token::CloseBracket) => "']'".to_owned(),
        Some(Token::Word(word)) => format!("'{}'", excerpt(word)),
        Some(Token::Text(text)) => format!("\"{}\"", excerpt(text)),
    };
    ScimError::invalid_filter(format!("{found} was not expected here"))
}

fn unknown_operator(word: &str) -> ScimError {
    ScimError::invalid_filter(format!("'{}' is not an operator", excerpt(word)))
}
