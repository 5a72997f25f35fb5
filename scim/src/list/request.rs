//! What a client asks for.

use serde_json::Value;

use super::order::Sort;
use crate::error::excerpt;
use crate::resource::limit_depth;
use crate::schema::Schemas;
use crate::{Filter, Limits, Projection, ResourceKind, ScimError, Version};

/// Where in the list the client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paging {
    /// By index; the first resource is number 1.
    Index {
        /// The number of the first resource on the page.
        start: u64,
    },
    /// By cursor; none on the first page.
    Cursor(Option<String>),
}

/// A request for a list, from a query or from the body of `.search`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRequest {
    filter: Option<String>,
    sort_by: Option<String>,
    descending: bool,
    /// Where in the list the client is.
    pub paging: Paging,
    count: Option<u64>,
    attributes: Vec<String>,
    excluded: Vec<String>,
    version: Version,
}

impl ListRequest {
    /// Reads the parameters of a query, decoded; unknown ones are ignored, for Entra adds flags to the address.
    pub fn from_pairs<'t>(
        pairs: impl IntoIterator<Item = (&'t str, &'t str)>,
        version: Version,
    ) -> Result<Self, ScimError> {
        let mut raw = Raw::default();
        for (name, value) in pairs {
            match name.to_ascii_lowercase().as_str() {
                "filter" if !value.trim().is_empty() => raw.filter = Some(value.to_owned()),
                "sortby" if !value.trim().is_empty() => raw.sort_by = Some(value.trim().to_owned()),
                "sortorder" => raw.sort_order = Some(value.to_owned()),
                "startindex" if !value.is_empty() => raw.start = Some(whole("startIndex", value)?),
                "count" if !value.is_empty() => raw.count = Some(whole("count", value)),
                "cursor" => raw.cursor = Some(value.to_owned()),
                "attributes" => raw.attributes.extend(value.split(',').map(str::to_owned)),
                "excludedattributes" => raw.excluded.extend(value.split(',').map(str::to_owned)),
                _ => {}
            }
        }
        raw.finish(version)
    }

    /// Reads the body of `.search` (RFC 7644 section 3.4.3).
    pub fn from_search(body: &Value, version: Version) -> Result<Self, ScimError> {
        limit_depth(body)?;
        let parts = body
            .as_object()
            .ok_or_else(|| ScimError::invalid_syntax("the body must be a JSON object"))?;
        let mut raw = Raw::default();
        for (name, value) in parts.iter().filter(|(_, value)| !value.is_null()) {
            match name.to_ascii_lowercase().as_str() {
                "filter" => raw.filter = Some(text(name, value)?).filter(|filter| !filter.trim().is_empty()),
                "sortby" => raw.sort_by = Some(text(name, value)?).filter(|by| !by.trim().is_empty()),
                "sortorder" => raw.sort_order = Some(text(name, value)?),
                "startindex" => raw.start = Some(number(name, value)?),
                "count" => raw.count = Some(number(name, value)),
                "cursor" => raw.cursor = Some(text(name, value)?),
                "attributes" => raw.attributes = texts(name, value)?,
                "excludedattributes" => raw.excluded = texts(name, value)?,
                _ => {}
            }
        }
        raw.finish(version)
    }

    /// The filter for a kind of resource, if the client has one.
    pub fn filter(
        &self,
        kind: ResourceKind,
        schemas: &Schemas,
        limits: &Limits,
    ) -> Result<Option<Filter>, ScimError> {
        let Some(text) = &self.filter else {
            return Ok(None);
        };
        match self.version {
            Version::V1 => Filter::parse_v1(text, kind, schemas, limits).map(Some),
            Version::V2 => Filter::parse(text, kind, schemas, limits).map(Some),
        }
    }

    /// Whether the client has a filter; discovery refuses one.
    pub const fn has_filter(&self) -> bool {
        self.filter.is_some()
    }

    /// The filter as the client wrote it.
    pub fn filter_text(&self) -> Option<&str> {
        self.filter.as_deref()
    }

    /// The order, if the client has one.
    pub fn sort(&self, kind: ResourceKind, schemas: &Schemas) -> Result<Option<Sort>, ScimError> {
        let sort = self.sort_by.as_deref();
        sort.map(|by| Sort::resolve(by, self.descending, kind, schemas))
            .transpose()
    }

    /// What is shown of each resource.
    pub fn projection(&self, kind: ResourceKind, schemas: &Schemas) -> Result<Projection, ScimError> {
        Projection::new(
            self.attributes.iter().map(String::as_str),
            self.excluded.iter().map(String::as_str),
            kind,
            schemas,
        )
    }

    /// How many resources the page may have: what the client asks for, within the limit of the server. Zero asks for
    /// the total only.
    pub fn count(&self, by_default: u64, most: u64) -> u64 {
        self.count.unwrap_or(by_default).min(most)
    }
}

#[derive(Default)]
struct Raw {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start: Option<i64>,
    count: Option<Result<i64, ScimError>>,
    cursor: Option<String>,
    attributes: Vec<String>,
    excluded: Vec<String>,
}

impl Raw {
    fn finish(self, version: Version) -> Result<ListRequest, ScimError> {
        let descending = match self.sort_order.as_deref() {
            None | Some("") => false,
            Some(word) if word.eq_ignore_ascii_case("ascending") => false,
            Some(word) if word.eq_ignore_ascii_case("descending") => true,
            Some(word) => {
                return Err(ScimError::invalid_value(format!(
                    "'sortOrder' must be ascending or descending, not '{}'",
                    excerpt(word)
                )));
            }
        };
        let count = match self.count.transpose() {
            Err(_) if self.cursor.is_some() => return Err(ScimError::invalid_count()),
            count => count?.map(|count| u64::try_from(count).unwrap_or(0)),
        };
        let paging = match (self.cursor, self.start) {
            (Some(_), Some(_)) => {
                return Err(ScimError::invalid_value(
                    "use either 'startIndex' or 'cursor', not both",
                ));
            }
            (Some(cursor), None) => Paging::Cursor(Some(cursor).filter(|cursor| !cursor.is_empty())),
            (None, start) => Paging::Index {
                start: u64::try_from(start.unwrap_or(1)).unwrap_or(1).max(1),
            },
        };
        Ok(ListRequest {
            filter: self.filter,
            sort_by: self.sort_by,
            descending,
            paging,
            count,
            attributes: self.attributes,
            excluded: self.excluded,
            version,
        })
    }
}

fn whole(name: &str, text: &str) -> Result<i64, ScimError> {
    text.trim().parse().map_err(|_| not_whole(name))
}

fn number(name: &str, value: &Value) -> Result<i64, ScimError> {
    let written = value.as_str().and_then(|text| text.trim().parse().ok());
    value.as_i64().or(written).ok_or_else(|| not_whole(name))
}

fn not_whole(name: &str) -> ScimError {
    ScimError::invalid_value(format!("'{name}' must be a whole number"))
}

fn text(name: &str, value: &Value) -> Result<String, ScimError> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| ScimError::invalid_value(format!("'{}' must be a text", excerpt(name))))
}

/// A list of names, or one text with commas.
fn texts(name: &str, value: &Value) -> Result<Vec<String>, ScimError> {
    if let Some(items) = value.as_array() {
        return items.iter().map(|item| text(name, item)).collect();
    }
    Ok(text(name, value)?.split(',').map(str::to_owned).collect())
}
