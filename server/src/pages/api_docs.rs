//! View model of the page that describes the management API.

use askama::Template;

/// `/api/docs`.
#[derive(Template)]
#[template(path = "api_docs.html")]
pub struct ApiDocsPage {
    /// Endpoints by area.
    pub areas: Vec<AreaRow>,
    /// Types of bodies and answers.
    pub schemas: Vec<SchemaRow>,
}

/// One area.
pub struct AreaRow {
    /// Heading.
    pub name: &'static str,
    /// Its endpoints.
    pub operations: Vec<OperationRow>,
}

/// One endpoint.
pub struct OperationRow {
    /// Stable name, also the anchor.
    pub name: &'static str,
    /// Method.
    pub verb: String,
    /// Path.
    pub path: &'static str,
    /// One line.
    pub summary: &'static str,
    /// What else there is to know.
    pub description: &'static str,
    /// What a key needs.
    pub scope: &'static str,
    /// Parameters.
    pub parameters: Vec<Field>,
    /// Type of the body.
    pub body: Option<String>,
    /// Answers.
    pub responses: Vec<ResponseRow>,
}

/// One answer.
pub struct ResponseRow {
    /// Status.
    pub status: String,
    /// What it means.
    pub about: String,
    /// Media types and types.
    pub content: String,
}

/// One type.
pub struct SchemaRow {
    /// Its name, also the anchor.
    pub name: String,
    /// What it is.
    pub about: String,
    /// Its members.
    pub fields: Vec<Field>,
}

/// A parameter or member.
pub struct Field {
    /// Name.
    pub name: String,
    /// Type in words.
    pub kind: String,
    /// What it is.
    pub about: String,
    /// Whether it must be there.
    pub required: bool,
}
