//! Tables of comma-separated values that people open in a spreadsheet. Everything the product writes in this form is written
//! here: a person or a directory may have chosen the text of any cell, and spreadsheets run what begins like a formula.

use std::borrow::Cow;

use csv::Writer;

use crate::error::{AppError, Result};

/// Media type of such a table.
pub const MEDIA_TYPE: &str = "text/csv; charset=utf-8";

/// What a formula begins with, in the full-width forms too, and what spreadsheets pass over before one
/// (OWASP, "CSV Injection").
const FORMULA: &[char] = &['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// A table that is being written.
pub struct Sheet(Writer<Vec<u8>>);

impl Default for Sheet {
    fn default() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that guards cells")]
        Self(Writer::from_writer(Vec::new()))
    }
}

impl Sheet {
    /// Writes a row. A cell that would be a formula gets an apostrophe before it, which spreadsheets do not show.
    ///
    /// # Errors
    /// 500 if the row has another number of cells than the first.
    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) -> Result<()> {
        for cell in cells {
            let cell = plain(cell.as_ref());
            self.0.write_field(cell.as_bytes()).map_err(AppError::internal)?;
        }
        self.0.write_record(None::<&[u8]>).map_err(AppError::internal)
    }

    /// Returns what was written.
    ///
    /// # Errors
    /// 500 if it cannot be written; it is in memory.
    pub fn text(self) -> Result<String> {
        let bytes = self
            .0
            .into_inner()
            .map_err(|error| AppError::internal(error.into_error()))?;
        String::from_utf8(bytes).map_err(AppError::internal)
    }
}

fn plain(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(FORMULA) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_would_be_a_formula_is_text() {
        let mut sheet = Sheet::default();
        sheet.row(["name", "what"]).unwrap();
        for attack in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "＝1",
            "=HYPERLINK(\"http://x\",\"a,b\")",
        ] {
            sheet.row([attack, "a=1"]).unwrap();
        }
        let text = sheet.text().unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        for record in reader.records() {
            let record = record.unwrap();
            assert!(record[0].starts_with('\''), "{:?}", &record[0]);
            assert_eq!(&record[1], "a=1", "what is no formula is as it was");
        }
        assert_eq!(text.lines().next(), Some("name,what"));
    }

    #[test]
    fn a_row_of_another_width_is_no_row() {
        let mut sheet = Sheet::default();
        sheet.row(["a", "b"]).unwrap();
        assert!(sheet.row(["a"]).is_err());
    }
}
