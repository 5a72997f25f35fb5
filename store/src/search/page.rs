//! Pages: what is asked for, and the statements that answer it.
//!
//! The order without sorting is that of creation. Pages by number are found through the counts in `directory_ranks`, so
//! that page 1,000 costs what page 1 costs; cursors go on from the last row. With a condition, one statement finds the
//! rows, counts them and returns the page.

use provost_kernel::id::ConnectionId;

use super::compile::{Compiler, Kind};
use super::condition::{Condition, Field};
use crate::digest;
use crate::engine::Dialect;
use crate::error::{Result, StoreError};
use crate::tx::Reader;
use crate::value::{Bind, Row, binds};

/// A search among the accounts or groups of one connection. Deleted accounts are never found.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Whose accounts or groups.
    pub connection: ConnectionId,
    /// Which of them.
    pub condition: Condition,
    /// In which order; none is the order of creation.
    pub sort: Option<Sort>,
    /// From where.
    pub start: Start,
    /// How many at most; 0 only counts.
    pub limit: u32,
    /// Whether the number of all that fit is wanted.
    pub total: bool,
}

/// An order. What has no value comes last, or first if descending; equals are in the order of creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By what; of a list, its primary or first element. Texts order folded.
    pub by: Field,
    /// From great to small.
    pub descending: bool,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// After so many.
    Skip(u64),
    /// After the last one of another page of the same search; none is the beginning.
    After(Option<Cursor>),
    /// Before the first one of another page of the same search: the page in front of it, in the same order.
    Before(Cursor),
}

impl Start {
    /// Begins where a cursor says, on either side of it.
    pub const fn at(cursor: Cursor) -> Self {
        if cursor.is_backward {
            Self::Before(cursor)
        } else {
            Self::After(Some(cursor))
        }
    }

    /// The place of another page, if one is given.
    const fn cursor(&self) -> Option<&Cursor> {
        match self {
            Self::After(Some(cursor)) | Self::Before(cursor) => Some(cursor),
            Self::Skip(_) | Self::After(None) => None,
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The page.
    pub items: Vec<T>,
    /// How many fit in all, if asked for.
    pub total: Option<u64>,
    /// Where the next page begins; none if there is nothing after this one, or [`Start::Skip`] was asked for.
    pub next: Option<Cursor>,
    /// Where the page in front ends; none for the first page and where [`Start::Skip`] was asked for.
    pub previous: Option<Cursor>,
}

impl<T> Page<T> {
    /// Notes the ways to the pages beside this one. `first` and `last` are of the rows as they were read, which is from the end for
    /// a page in front of another; `is_more` tells whether more rows follow in that direction.
    fn lead_on(&mut self, start: &Start, first: Option<Cursor>, last: Option<Cursor>, is_more: bool) {
        let turned = |cursor: Cursor| Cursor {
            is_backward: !cursor.is_backward,
            ..cursor
        };
        let (beyond, back) = (last.filter(|_| is_more), first.map(turned));
        match start {
            Start::Before(_) => {
                self.items.reverse();
                (self.previous, self.next) = (beyond, back);
            }
            Start::After(Some(_)) => (self.next, self.previous) = (beyond, back),
            Start::After(None) => self.next = beyond,
            Start::Skip(_) => {}
        }
    }
}

/// A place between two pages of one search. As text it needs no escaping in URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Which search it belongs to.
    search: String,
    key: Key,
    ordinal: i64,
    id: String,
    /// Whether what comes before it is meant, and not what comes after.
    is_backward: bool,
}

/// What the last row was sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    None,
    Text(String),
    Number(i64),
}

impl Cursor {
    /// Writes the cursor with letters, digits and `-`.
    pub fn encode(&self) -> String {
        let (kind, key) = match &self.key {
            Key::None => ('x', String::new()),
            Key::Text(text) => ('t', digest::to_hex(text.as_bytes())),
            Key::Number(number) => ('n', digest::to_hex(number.to_string().as_bytes())),
        };
        let id = digest::to_hex(self.id.as_bytes());
        let side = if self.is_backward { "-b" } else { "" };
        format!("{}-{}-{id}-{kind}{key}{side}", self.search, self.ordinal)
    }

    /// Reads a cursor.
    pub fn decode(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (search, ordinal, id, key) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let text_of = |hex: &str| String::from_utf8(digest::from_hex(hex)?).ok();
        let mut letters = key.chars();
        let key = match (letters.next()?, letters.as_str()) {
            ('x', "") => Key::None,
            ('t', hex) => Key::Text(text_of(hex)?),
            ('n', hex) => Key::Number(text_of(hex)?.parse().ok()?),
            _ => return None,
        };
        let cursor = Self {
            search: search.to_owned(),
            key,
            ordinal: ordinal.parse().ok()?,
            id: text_of(id)?,
            is_backward: match parts.next() {
                None => false,
                Some("b") => true,
                Some(_) => return None,
            },
        };
        (parts.next().is_none() && !cursor.id.contains('\0')).then_some(cursor)
    }
}

impl Search {
    /// Tells whether a cursor belongs to this search: same connection, condition and order.
    pub fn accepts(&self, cursor: &Cursor) -> bool {
        cursor.search == self.mark()
    }

    /// A short digest of what must not change between pages.
    fn mark(&self) -> String {
        let asked = format!("{:?} {:?}", self.condition, self.sort);
        let mut mark = digest::fields(&[self.connection.as_str(), &asked]);
        mark.truncate(12);
        mark
    }
}

/// The first columns of each row of a page, then come those of the resource.
struct Head {
    total: Option<i64>,
    ordinal: i64,
    key: Key,
}

/// A search on its way to SQL.
struct Statement<'s> {
    search: &'s Search,
    kind: Kind,
    compiler: Compiler,
    /// The compiled condition; none if every row fits.
    holds: Option<String>,
    /// What rows are sorted by.
    key: Option<(String, bool)>,
}

impl<'s> Statement<'s> {
    fn new(search: &'s Search, kind: Kind) -> Result<Self> {
        let mut compiler = Compiler::new(kind, search.connection.as_str());
        let holds = if search.condition == Condition::All {
            None
        } else {
            Some(compiler.condition(&search.condition)?)
        };
        let key = match &search.sort {
            Some(sort) => Some(compiler.sort_key(&sort.by)?),
            None => None,
        };
        Ok(Self {
            search,
            kind,
            compiler,
            holds,
            key,
        })
    }

    /// `FROM … WHERE …` of all rows that fit.
    fn rows(&self) -> String {
        let aside = if self.compiler.is_looked_up { "{aside}" } else { "" };
        let join = if self.compiler.needs_document && self.kind == Kind::Users {
            " LEFT JOIN account_documents d ON d.account = a.id"
        } else {
            ""
        };
        let base = match self.kind {
            Kind::Users => {
                format!("accounts a{join} WHERE {aside}a.connection = $1 AND a.deleted = 0")
            }
            Kind::Groups => format!("groups a WHERE {aside}a.connection = $1"),
        };
        match &self.holds {
            Some(holds) => format!("FROM {base} AND {holds}"),
            None => format!("FROM {base}"),
        }
    }

    fn count(self) -> (String, Vec<Bind>) {
        (format!("SELECT COUNT(*) {}", self.rows()), self.compiler.binds.0)
    }

    fn order(&self, of: &str) -> String {
        // A page in front of another is read from its end.
        let is_backward = matches!(self.search.start, Start::Before(_));
        let side = if is_backward { " DESC" } else { "" };
        let Some((_, is_text)) = &self.key else {
            return format!("{of}.ordinal{side}, {of}.id{side}");
        };
        let binary = if *is_text { "{binary}" } else { "" };
        let direction = if self.is_descending() == is_backward {
            "ASC NULLS LAST"
        } else {
            "DESC NULLS FIRST"
        };
        format!("{of}.place{binary} {direction}, {of}.ordinal{side}, {of}.id{side}")
    }

    fn is_descending(&self) -> bool {
        self.search.sort.as_ref().is_some_and(|sort| sort.descending)
    }

    /// The condition that a row of `of` comes after the cursor, or before it.
    fn beyond(&mut self, of: &str, cursor: &Cursor) -> String {
        let binds = &mut self.compiler.binds;
        let (ordinal, id) = (binds.add(cursor.ordinal), binds.add(&cursor.id));
        let sign = if cursor.is_backward { "<" } else { ">" };
        let later = format!("({of}.ordinal, {of}.id) {sign} ({ordinal}, {id})");
        let Some((_, is_text)) = &self.key else {
            return later;
        };
        let binary = if *is_text { "{binary}" } else { "" };
        let bound = match &cursor.key {
            Key::None => None,
            Key::Text(text) => Some(binds.add(text)),
            Key::Number(number) => Some(binds.add(*number)),
        };
        // Before in an ascending order is after in a descending one.
        match (bound, self.is_descending() != cursor.is_backward) {
            (None, false) => format!("({of}.place IS NULL AND {later})"),
            (None, true) => format!("({of}.place IS NOT NULL OR {later})"),
            (Some(key), false) => format!(
                "({of}.place IS NULL OR {of}.place{binary} > {key} OR ({of}.place = {key} AND {later}))"
            ),
            (Some(key), true) => {
                format!("({of}.place{binary} < {key} OR ({of}.place = {key} AND {later}))")
            }
        }
    }

    /// Whether the statement reads every row of the connection.
    const fn is_long(&self) -> bool {
        self.key.is_some() && self.holds.is_none() || self.holds.is_some() && !self.compiler.is_looked_up
    }

    /// The statement of a page. `within` narrows down where an unsorted page without condition begins, and how many rows
    /// to skip from there.
    fn page(mut self, limit: u64, within: Option<Place>, columns: &str) -> (String, Vec<Bind>) {
        let rows = self.rows();
        let key = match &self.key {
            Some((key, _)) => key.clone(),
            None => "CAST(NULL AS BIGINT)".to_owned(),
        };
        let select = format!("SELECT a.id AS id, a.ordinal AS ordinal, {key} AS place {rows}");
        let skip = match (&self.search.start, within) {
            (_, Some(place)) => place.skip,
            (Start::Skip(skip), None) => i64::try_from(*skip).unwrap_or(i64::MAX),
            (Start::After(_) | Start::Before(_), None) => 0,
        };
        // Without sorting, the narrowing goes to the index; else to the rows with their keys.
        let is_plain = self.compiler.is_plain && self.key.is_none();
        let of = if is_plain { "a" } else { "h" };
        let mut narrow = String::new();
        if let Some(place) = within {
            narrow = format!("a.ordinal >= {}", self.compiler.binds.add(place.ordinal));
        } else if let Some(cursor) = self.search.start.cursor() {
            narrow = self.beyond(of, cursor);
        }
        let skip = self.compiler.binds.add(skip);
        // The limit is written out, because a planner that knows it takes the index.
        let cut = format!("ORDER BY {} LIMIT {limit} OFFSET {skip}", self.order(of));
        let (hits, page, total) = if is_plain {
            let narrow = if narrow.is_empty() {
                narrow
            } else {
                format!(" AND {narrow}")
            };
            (
                String::new(),
                format!("{select}{narrow} {cut}"),
                "CAST(NULL AS BIGINT)",
            )
        } else {
            let narrow = if narrow.is_empty() {
                narrow
            } else {
                format!("WHERE {narrow} ")
            };
            (
                format!("hits AS MATERIALIZED ({select}), "),
                format!("SELECT h.id, h.ordinal, h.place FROM hits h {narrow}{cut}"),
                "(SELECT COUNT(*) FROM hits)",
            )
        };
        let table = match self.kind {
            Kind::Users => "accounts a LEFT JOIN account_documents d ON d.account = a.id",
            Kind::Groups => "groups a",
        };
        // SQLite keeps to the order of a CROSS JOIN: from the page to the rows.
        let sql = format!(
            "WITH {hits}page AS ({page}) SELECT {total}, p.ordinal, p.place, {columns} \
             FROM page p CROSS JOIN {table} WHERE a.id = p.id ORDER BY {}",
            self.order("p")
        );
        (sql, self.compiler.binds.0)
    }

    fn head(key_is_text: Option<bool>, row: &mut Row) -> Result<Head> {
        let total = row.opt_int("search.total")?;
        let ordinal = row.int("search.ordinal")?;
        let key = match key_is_text {
            Some(true) => row.opt_text("search.place")?.map_or(Key::None, Key::Text),
            Some(false) | None => row.opt_int("search.place")?.map_or(Key::None, Key::Number),
        };
        Ok(Head { total, ordinal, key })
    }
}

/// Where in the order of creation to begin.
#[derive(Clone, Copy)]
struct Place {
    ordinal: i64,
    skip: i64,
}

impl Reader {
    /// Runs a search. `read` makes a resource of the columns asked for.
    pub(super) async fn search<T>(
        &mut self,
        search: &Search,
        kind: Kind,
        columns: &str,
        read: impl Fn(Row) -> Result<(String, T)>,
    ) -> Result<Page<T>> {
        if let Some(cursor) = search.start.cursor()
            && !search.accepts(cursor)
        {
            return Err(StoreError::Refused("the cursor belongs to another search"));
        }
        let statement = Statement::new(search, kind)?;
        let everything = statement.holds.is_none();
        let mut known_total = None;
        let mut place = None;
        if everything && kind == Kind::Users {
            let skip = match search.start {
                Start::Skip(skip) => i64::try_from(skip).unwrap_or(i64::MAX),
                Start::After(_) | Start::Before(_) => 0,
            };
            if search.total || skip > 0 {
                let (total, found) = self.rank(&search.connection, skip).await?;
                known_total = Some(total);
                place = (statement.key.is_none() && matches!(search.start, Start::Skip(_))).then_some(found);
            }
        }
        let mut page = Page {
            items: Vec::new(),
            total: None,
            next: None,
            previous: None,
        };
        if search.limit > 0 {
            let key_is_text = statement.key.as_ref().map(|(_, is_text)| *is_text);
            let by_cursor = !matches!(search.start, Start::Skip(_));
            let (mark, is_backward) = (search.mark(), matches!(search.start, Start::Before(_)));
            // One more than the page tells whether another one follows.
            let limit = u64::from(search.limit) + u64::from(by_cursor);
            let is_long = statement.is_long();
            let (sql, values) = statement.page(limit, place, columns);
            let (mut first, mut last, mut is_more) = (None, None, false);
            let rows = if is_long {
                self.rows_long(&sql, values).await?
            } else {
                self.rows(&sql, values).await?
            };
            for mut row in rows {
                let head = Statement::head(key_is_text, &mut row)?;
                if head.total.is_some() {
                    known_total = head.total;
                }
                if page.items.len() >= search.limit as usize {
                    is_more = true;
                    break;
                }
                let (id, item) = read(row)?;
                page.items.push(item);
                if by_cursor {
                    last = Some(Cursor {
                        search: mark.clone(),
                        key: head.key,
                        ordinal: head.ordinal,
                        id,
                        is_backward,
                    });
                    first = first.or_else(|| last.clone());
                }
            }
            page.lead_on(&search.start, first, last, is_more);
        }
        if search.total {
            let total = match known_total {
                Some(total) => total,
                // A page behind the last row says nothing.
                None => self.count(search, kind).await?,
            };
            page.total = Some(total.unsigned_abs());
        }
        Ok(page)
    }

    /// Returns the engine's plan of a page.
    pub(super) async fn explain(
        &mut self,
        search: &Search,
        kind: Kind,
        columns: &str,
    ) -> Result<Vec<String>> {
        let limit = u64::from(search.limit);
        let (sql, values) = Statement::new(search, kind)?.page(limit, None, columns);
        self.explain_sql(&sql, values).await
    }

    /// Returns the engine's plan of a statement.
    pub(crate) async fn explain_sql(&mut self, sql: &str, values: Vec<Bind>) -> Result<Vec<String>> {
        let (word, before) = match self.conn().dialect() {
            Dialect::Sqlite => ("EXPLAIN QUERY PLAN", 3),
            Dialect::Postgres => ("EXPLAIN", 0),
        };
        let rows = self.rows(&format!("{word} {sql}"), values).await?;
        rows.into_iter()
            .map(|mut row| {
                for _ in 0..before {
                    row.int("explain")?;
                }
                row.text("explain")
            })
            .collect()
    }

    async fn count(&mut self, search: &Search, kind: Kind) -> Result<i64> {
        let (sql, values) = Statement::new(search, kind)?.count();
        let row = self.rows_long(&sql, values).await?.into_iter().next();
        row.ok_or(StoreError::Corrupt("search.total"))?
            .int("search.total")
    }

    /// Returns how many accounts of a connection are listed, and where the one after `skip` others is to be looked for.
    async fn rank(&mut self, connection: &ConnectionId, skip: i64) -> Result<(i64, Place)> {
        let sql = "SELECT CAST(total AS BIGINT), bucket, CAST(before AS BIGINT) FROM (SELECT bucket, \
                   SUM(n) OVER (ORDER BY bucket) - n AS before, SUM(n) OVER () AS total FROM (SELECT bucket, \
                   SUM(entries) AS n FROM directory_ranks WHERE connection = $1 GROUP BY bucket) sums) ranks \
                   WHERE before <= $2 ORDER BY bucket DESC LIMIT 1";
        let Some(mut row) = self.row(sql, binds![connection, skip]).await? else {
            return Ok((0, Place { ordinal: 0, skip }));
        };
        let (total, bucket) = (
            row.int("directory_ranks.total")?,
            row.int("directory_ranks.bucket")?,
        );
        let before = row.int("directory_ranks.before")?;
        let place = Place {
            ordinal: bucket * SPAN,
            skip: skip - before,
        };
        Ok((total, place))
    }

    /// Returns how many accounts of a connection there are that are not deleted, and how many of them are active, without
    /// counting them.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn directory_size(&mut self, connection: &ConnectionId) -> Result<(u64, u64)> {
        let sql = "SELECT CAST(COALESCE(SUM(entries), 0) AS BIGINT), CAST(COALESCE(SUM(active), 0) AS BIGINT) \
                   FROM directory_ranks WHERE connection = $1";
        let row = self.row(sql, binds![connection]).await?;
        let mut row = row.ok_or(StoreError::Corrupt("directory_ranks"))?;
        let entries = row.int("directory_ranks.entries")?.unsigned_abs();
        Ok((entries, row.int("directory_ranks.active")?.unsigned_abs()))
    }
}

/// Ordinals in one row of `directory_ranks`, as its triggers have it.
const SPAN: i64 = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_as_text_and_broken_ones_are_noticed() {
        for key in [Key::None, Key::Text("x-é\"".to_owned()), Key::Number(-7)] {
            let cursor = Cursor {
                search: "abc".to_owned(),
                key,
                ordinal: 9,
                id: "acc_1".to_owned(),
                is_backward: false,
            };
            let text = cursor.encode();
            assert!(
                text.bytes()
                    .all(|letter| letter.is_ascii_alphanumeric() || letter == b'-'),
                "{text}"
            );
            assert_eq!(Cursor::decode(&text), Some(cursor.clone()));
            let back = Cursor {
                is_backward: true,
                ..cursor
            };
            assert_eq!(Cursor::decode(&back.encode()), Some(back));
        }
        for broken in [
            "",
            "a",
            "a-1-6-x",
            "a-1-61-q",
            "a-x-61-x",
            "a-1-61-x-x",
            "a-1-00-x",
            "a-1-61-xa",
            "a-1-61-n61",
            "é-é",
        ] {
            assert_eq!(Cursor::decode(broken), None, "{broken}");
        }
    }
}
