//! What an endpoint is: everything that router, guard, documentation and tests need to know of it.

use axum::routing::MethodRouter;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::app::App;
use crate::flow::api_keys::Scope;
use crate::http::layers::BODY_LIMIT;

/// One endpoint.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// Method.
    pub verb: Verb,
    /// Path with parameters in braces.
    pub path: &'static str,
    /// Stable name, `operationId` in the document.
    pub name: &'static str,
    /// Heading under which it stands.
    pub area: &'static str,
    /// One line.
    pub summary: &'static str,
    /// What else there is to know.
    pub description: &'static str,
    /// What a key needs.
    pub scope: Scope,
    /// Parameters of the query, as the properties of one object.
    pub query: Option<SchemaOf>,
    /// JSON body.
    pub body: Option<SchemaOf>,
    /// Answers beside the problems that every endpoint may answer with.
    pub answers: &'static [Answer],
    /// Codes of its own problems.
    pub problems: &'static [(u16, &'static str)],
    /// What serves it.
    pub handler: fn() -> MethodRouter<App>,
}

impl Endpoint {
    /// Tells whether the body is a file of comma-separated values.
    pub fn takes_csv(&self) -> bool {
        self.path == "/api/v1/imports" && self.verb == Verb::Post
    }

    /// Returns the size of the largest body in bytes.
    pub(super) fn largest_body(&self) -> usize {
        if self.takes_csv() { LARGEST_CSV } else { BODY_LIMIT }
    }
}

/// Largest file of comma-separated values: a hundred thousand people with room to spare.
pub(super) const LARGEST_CSV: usize = 32 * 1024 * 1024;

/// Methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Does something, or makes something new.
    Post,
    /// Puts something in a place.
    Put,
    /// Changes parts of something.
    Patch,
    /// Takes something away.
    Delete,
}

impl Verb {
    /// Returns the word, in lower case as OpenAPI writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// Makes the schema of a type.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One answer.
#[derive(Clone, Copy)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// What it means.
    pub what: &'static str,
    /// Media types, each with the schema of its body.
    pub content: &'static [(&'static str, Option<SchemaOf>)],
}

/// Makes the schema of a body or answer, by reference.
pub(super) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Makes the schema of a query in place, because its properties become parameters.
pub(super) fn query_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    T::json_schema(generator)
}

/// Media type of JSON.
pub(super) const JSON: &str = "application/json";
