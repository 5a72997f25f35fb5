//! The file of an import as a stream of rows: header first, then a person each. Reads one record at a time.

use std::io::Read;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord, Trim};

use super::row::{self, COLUMNS, ImportRow};
use crate::config::keys::nearest;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// No header.
    #[error("the first line must name the columns")]
    Empty,
    /// A column that is not known.
    #[error("`{name}` is no column{hint}")]
    UnknownColumn {
        /// Its name.
        name: String,
        /// What was probably meant.
        hint: String,
    },
    /// A column twice.
    #[error("the column `{0}` is there twice")]
    Twice(String),
    /// No addresses.
    #[error("there is no column `email`")]
    NoEmail,
    /// Too many rows.
    #[error("it has more than 100,000 rows")]
    TooLong,
    /// It cannot be read any further.
    #[error("line {line}: {what}")]
    Unreadable {
        /// Where.
        line: u64,
        /// Why.
        what: String,
    },
    /// One row is wrong; the others may be good.
    #[error("{what}")]
    Row {
        /// Where.
        line: u64,
        /// Why.
        what: String,
    },
}

impl TableError {
    /// Returns the line that it is about.
    pub const fn line(&self) -> u64 {
        match self {
            Self::Row { line, .. } | Self::Unreadable { line, .. } => *line,
            Self::Empty | Self::UnknownColumn { .. } | Self::Twice(_) | Self::NoEmail | Self::TooLong => 1,
        }
    }
}

/// A file whose header was read.
pub struct Table<R> {
    reader: Reader<R>,
    places: Vec<Option<usize>>,
    is_over: bool,
}

impl<R: Read> Table<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn open(source: R) -> Result<Self, TableError> {
        let mut reader = ReaderBuilder::new()
            .trim(Trim::All)
            .flexible(false)
            .from_reader(source);
        let header = reader.headers().map_err(|error| unreadable(&error))?.clone();
        if header.iter().all(str::is_empty) {
            return Err(TableError::Empty);
        }
        let mut places = vec![None; COLUMNS.len()];
        for (position, name) in header.iter().enumerate() {
            // Spreadsheets put a byte order mark first.
            let name = name.trim_start_matches('\u{feff}').trim().to_ascii_lowercase();
            let Some(at) = COLUMNS.iter().position(|(column, _)| *column == name) else {
                let near = nearest(&name, COLUMNS.iter().map(|(column, _)| *column));
                return Err(TableError::UnknownColumn {
                    hint: near
                        .map(|near| format!("; did you mean `{near}`?"))
                        .unwrap_or_default(),
                    name,
                });
            };
            match places.get_mut(at) {
                Some(place @ None) => *place = Some(position),
                Some(Some(_)) | None => return Err(TableError::Twice(name)),
            }
        }
        if places.first().is_none_or(Option::is_none) {
            return Err(TableError::NoEmail);
        }
        Ok(Self {
            reader,
            places,
            is_over: false,
        })
    }
}

impl<R: Read> Iterator for Table<R> {
    type Item = Result<ImportRow, TableError>;

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "kinds of errors of the parser may be added; all others end the reading"
    )]
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let mut record = StringRecord::new();
        match self.reader.read_record(&mut record) {
            Ok(false) => None,
            Ok(true) => {
                let line = record.position().map_or(0, csv::Position::line);
                let read = row::read(&record, &self.places, line);
                Some(read.map_err(|what| TableError::Row { line, what }))
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                Some(Err(match error.kind() {
                    ErrorKind::UnequalLengths {
                        expected_len, len, ..
                    } => TableError::Row {
                        line,
                        what: format!("the row has {len} cells, and the header has {expected_len}"),
                    },
                    ErrorKind::Utf8 { .. } => TableError::Row {
                        line,
                        what: "the row is not UTF-8".to_owned(),
                    },
                    _ => {
                        // A source that fails once may fail for ever.
                        self.is_over = true;
                        unreadable(&error)
                    }
                }))
            }
        }
    }
}

fn unreadable(error: &csv::Error) -> TableError {
    TableError::Unreadable {
        line: error.position().map_or(1, csv::Position::line),
        what: if matches!(error.kind(), ErrorKind::Utf8 { .. }) {
            "it is not UTF-8".to_owned()
        } else {
            "it cannot be read".to_owned()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Result<Table<&[u8]>, TableError> {
        Table::open(text.as_bytes())
    }

    #[test]
    fn r173_a_table_names_its_columns_in_any_order() {
        let rows: Vec<_> =
            open("\u{feff}given_name, Email,roles,workspaces\nAnn,ann@x.example,Admin; member,all\n")
                .unwrap()
                .collect();
        let row = rows[0].as_ref().unwrap();
        assert_eq!(row.line, 2);
        assert_eq!(row.person.email, "ann@x.example");
        assert_eq!(row.person.given_name.as_deref(), Some("Ann"));
        assert_eq!(row.person.memberships[0].roles, ["Admin", "member"]);
        assert!(row.person.memberships[0].all_workspaces);
    }

    #[test]
    fn r173_a_wrong_header_is_told_of_before_anything_is_done() {
        let wrong = |text| open(text).err().unwrap().to_string();
        assert_eq!(wrong("e_mail\n"), "`e_mail` is no column; did you mean `email`?");
        assert_eq!(wrong("given_name\n"), "there is no column `email`");
        assert_eq!(wrong("email,email\n"), "the column `email` is there twice");
        assert_eq!(wrong(""), "the first line must name the columns");
    }

    #[test]
    fn r173_wrong_rows_are_told_with_their_lines_and_the_others_are_read() {
        let text =
            b"email,kind\nann@x.example,guest\nbob@x.example\n\xff\xfe,user\n,user\neve@x.example,reader\n";
        let rows: Vec<_> = Table::open(&text[..]).unwrap().collect();
        let lines: Vec<u64> = rows
            .iter()
            .filter_map(|row| row.as_ref().err())
            .map(TableError::line)
            .collect();
        assert_eq!(lines, [2, 3, 4, 5]);
        assert_eq!(
            rows.last().unwrap().as_ref().unwrap().person.email,
            "eve@x.example"
        );
    }
}
