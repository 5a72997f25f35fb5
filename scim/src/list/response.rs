//! The envelope of a list.

use serde_json::{Map, Value, json};

/// The URN of a list.
pub const LIST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// Which page the resources are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// A page by index.
    Index {
        /// The number of the first resource, as the client asked for it.
        start: u64,
        /// How many resources there are in all.
        total: u64,
    },
    /// A page by cursor.
    Cursor {
        /// How many resources there are in all, where that is known.
        total: Option<u64>,
        /// The cursor of the page that follows.
        next: Option<String>,
        /// The cursor of the page in front.
        previous: Option<String>,
    },
}

/// Renders a list. `itemsPerPage` is what is on this page, so zero behind the end.
pub fn response(page: &Page, resources: Vec<Map<String, Value>>) -> Value {
    let mut list = Map::new();
    list.insert("schemas".to_owned(), json!([LIST_URN]));
    list.insert("itemsPerPage".to_owned(), resources.len().into());
    match page {
        Page::Index { start, total } => {
            list.insert("totalResults".to_owned(), (*total).into());
            list.insert("startIndex".to_owned(), (*start).into());
        }
        Page::Cursor {
            total,
            next,
            previous,
        } => {
            if let Some(total) = total {
                list.insert("totalResults".to_owned(), (*total).into());
            }
            if let Some(next) = next {
                list.insert("nextCursor".to_owned(), next.as_str().into());
            }
            if let Some(previous) = previous {
                list.insert("previousCursor".to_owned(), previous.as_str().into());
            }
        }
    }
    let resources: Vec<Value> = resources.into_iter().map(Value::Object).collect();
    list.insert("Resources".to_owned(), resources.into());
    Value::Object(list)
}
