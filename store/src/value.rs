//! Values on their way to and from either engine: integers, text and bytes, each perhaps null. Times are
//! milliseconds since 1970, booleans 0 and 1, structured values JSON text. Never knows an engine.

use jiff::Timestamp;
use provost_kernel::id::{
    AccountId, ConnectionId, GroupId, LicenseId, OrganizationId, RoleId, SessionId, TraceId, WorkspaceId,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Result, StoreError};

/// One bound argument; nulls are typed because PostgreSQL wants to know.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Bind {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl Bind {
    /// Returns about how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Int(_) => 8,
            Self::Text(text) => text.as_ref().map_or(0, String::len),
            Self::Bytes(bytes) => bytes.as_ref().map_or(0, Vec::len),
        }
    }
}

/// One cell of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// One row; cells are taken in the order of the select list.
pub(crate) struct Row {
    cells: std::vec::IntoIter<Cell>,
}

macro_rules! binds {
    ($($value:expr),* $(,)?) => { vec![$($crate::value::Bind::from($value)),*] };
}
pub(crate) use binds;

macro_rules! bind_from {
    ($($from:ty => $value:ident, $bind:expr);+ $(;)?) => {$(
        impl From<$from> for Bind {
            fn from($value: $from) -> Self {
                $bind
            }
        }
    )+};
}

bind_from! {
    i64 => value, Self::Int(Some(value));
    i32 => value, Self::Int(Some(i64::from(value)));
    u32 => value, Self::Int(Some(i64::from(value)));
    bool => value, Self::Int(Some(i64::from(value)));
    Option<i64> => value, Self::Int(value);
    Option<u32> => value, Self::Int(value.map(i64::from));
    Timestamp => value, Self::Int(Some(value.as_millisecond()));
    Option<Timestamp> => value, Self::Int(value.map(Timestamp::as_millisecond));
    &str => value, Self::Text(Some(value.to_owned()));
    &String => value, Self::Text(Some(value.clone()));
    String => value, Self::Text(Some(value));
    Option<&str> => value, Self::Text(value.map(str::to_owned));
    Option<String> => value, Self::Text(value);
    &Option<String> => value, Self::Text(value.clone());
    Vec<u8> => value, Self::Bytes(Some(value));
    Option<Vec<u8>> => value, Self::Bytes(value);
}

macro_rules! bind_ids {
    ($($id:ty),+ $(,)?) => {$(
        impl From<&$id> for Bind {
            fn from(id: &$id) -> Self {
                Self::Text(Some(id.as_str().to_owned()))
            }
        }
        impl From<Option<&$id>> for Bind {
            fn from(id: Option<&$id>) -> Self {
                Self::Text(id.map(|id| id.as_str().to_owned()))
            }
        }
    )+};
}

bind_ids!(
    AccountId,
    ConnectionId,
    GroupId,
    LicenseId,
    OrganizationId,
    RoleId,
    SessionId,
    TraceId,
    WorkspaceId
);

/// Writes a value as JSON text.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|_| StoreError::Corrupt("a value that has no JSON form"))
}

/// Returns the form in which texts are compared without case. Made here and not by the engines, which differ.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// Writes a list of texts as one argument for `{list:$n}`.
pub(crate) fn list<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> Result<String> {
    json(
        &values
            .into_iter()
            .map(|value| value.as_ref().to_owned())
            .collect::<Vec<_>>(),
    )
}

/// Reads a value that serde writes as a plain string, for example an enum without fields.
pub(crate) fn word<T: DeserializeOwned>(text: String, what: &'static str) -> Result<T> {
    serde_json::from_value(serde_json::Value::String(text)).map_err(|_| StoreError::Corrupt(what))
}

/// Writes a value that serde writes as a plain string.
pub(crate) fn to_word<T: Serialize>(value: &T) -> Result<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => Ok(text),
        Ok(_) | Err(_) => Err(StoreError::Corrupt("a word")),
    }
}

/// Takes the parts of a look-up of several.
pub(crate) fn parts<const N: usize>(found: Vec<Vec<Row>>) -> Result<[Vec<Row>; N]> {
    found.try_into().map_err(|_| StoreError::Corrupt("parts"))
}

impl Row {
    pub(crate) fn new(cells: Vec<Cell>) -> Self {
        Self {
            cells: cells.into_iter(),
        }
    }

    fn next(&mut self, what: &'static str) -> Result<Cell> {
        self.cells.next().ok_or(StoreError::Corrupt(what))
    }

    pub(crate) fn opt_int(&mut self, what: &'static str) -> Result<Option<i64>> {
        match self.next(what)? {
            Cell::Null => Ok(None),
            Cell::Int(value) => Ok(Some(value)),
            Cell::Text(_) | Cell::Bytes(_) => Err(StoreError::Corrupt(what)),
        }
    }

    pub(crate) fn int(&mut self, what: &'static str) -> Result<i64> {
        self.opt_int(what)?.ok_or(StoreError::Corrupt(what))
    }

    pub(crate) fn count(&mut self, what: &'static str) -> Result<u32> {
        u32::try_from(self.int(what)?).map_err(|_| StoreError::Corrupt(what))
    }

    pub(crate) fn opt_count(&mut self, what: &'static str) -> Result<Option<u32>> {
        let value = self.opt_int(what)?;
        value
            .map(|value| u32::try_from(value).map_err(|_| StoreError::Corrupt(what)))
            .transpose()
    }

    pub(crate) fn flag(&mut self, what: &'static str) -> Result<bool> {
        Ok(self.int(what)? != 0)
    }

    pub(crate) fn opt_time(&mut self, what: &'static str) -> Result<Option<Timestamp>> {
        self.opt_int(what)?
            .map(|value| Timestamp::from_millisecond(value).map_err(|_| StoreError::Corrupt(what)))
            .transpose()
    }

    pub(crate) fn time(&mut self, what: &'static str) -> Result<Timestamp> {
        self.opt_time(what)?.ok_or(StoreError::Corrupt(what))
    }

    pub(crate) fn opt_text(&mut self, what: &'static str) -> Result<Option<String>> {
        match self.next(what)? {
            Cell::Null => Ok(None),
            Cell::Text(value) => Ok(Some(value)),
            Cell::Int(_) | Cell::Bytes(_) => Err(StoreError::Corrupt(what)),
        }
    }

    pub(crate) fn text(&mut self, what: &'static str) -> Result<String> {
        self.opt_text(what)?.ok_or(StoreError::Corrupt(what))
    }

    pub(crate) fn opt_bytes(&mut self, what: &'static str) -> Result<Option<Vec<u8>>> {
        match self.next(what)? {
            Cell::Null => Ok(None),
            Cell::Bytes(value) => Ok(Some(value)),
            Cell::Int(_) | Cell::Text(_) => Err(StoreError::Corrupt(what)),
        }
    }

    pub(crate) fn bytes(&mut self, what: &'static str) -> Result<Vec<u8>> {
        self.opt_bytes(what)?.ok_or(StoreError::Corrupt(what))
    }

    pub(crate) fn opt_json<T: DeserializeOwned>(&mut self, what: &'static str) -> Result<Option<T>> {
        self.opt_text(what)?
            .map(|text| serde_json::from_str(&text).map_err(|_| StoreError::Corrupt(what)))
            .transpose()
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self, what: &'static str) -> Result<T> {
        self.opt_json(what)?.ok_or(StoreError::Corrupt(what))
    }

    pub(crate) fn word<T: DeserializeOwned>(&mut self, what: &'static str) -> Result<T> {
        word(self.text(what)?, what)
    }
}
