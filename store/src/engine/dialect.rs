//! The words of SQL in which the engines differ, as placeholders in the one text. Never knows a table.
//!
//! | placeholder | is |
//! |---|---|
//! | `{blob}` | the type of bytes |
//! | `{lock}`, `{share}` | row lock of a select, exclusive or shared |
//! | `{hold}` | as `{lock}`, but rows that refer to this one may be written meanwhile |
//! | `{skip_locked}` | row lock that passes over locked rows |
//! | `IN ({list:$1})` | is among the texts of a JSON list; `NOT IN` likewise |
//! | `IN ({set:name})` | is in a set of this round, see [`super::batch::Set`] |
//! | `{members:name}` | such a set as a select |
//! | `IN ({of}SELECT …{end})` | is among what a select finds, which is looked up first and then in an index |
//! | `{rows:$1}` | the texts of a JSON list as a table with the column `value` |
//! | `{shard}` | a small number that differs between writers at the same time |
//! | `{binary}` | after an expression: compare code point by code point, for order and ranges |
//! | `{aside}` | before a column: look for no index on it; SQLite believes that every index leads to few rows |
//! | `{position}` | the function that finds a text in a text, from 1; 0 is nowhere |
//! | `{json:column}` | a column of JSON text, for `->` and `->>` with labels |
//! | `{each:column\|label}` | the elements of the list under a label, as a table `e` with the column `value` |
//! | `{sqlite}` … `{end}`, `{postgres}` … `{end}` | a part for one engine only; in migrations |

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Dialect;

/// Puts the words of one engine in place of the placeholders.
pub(super) fn translate(dialect: Dialect, sql: &str) -> Cow<'_, str> {
    let text = if sql.contains('{') {
        Cow::Owned(placeholders(dialect, sql))
    } else {
        Cow::Borrowed(sql)
    };
    // To SQLite `$1` would be a name.
    if dialect == Dialect::Sqlite && text.contains('$') {
        return Cow::Owned(arguments(&text, "?", 0));
    }
    text
}

/// Writes the arguments `$1`, `$2`, … with another sign and higher numbers.
pub(crate) fn arguments(sql: &str, sign: &str, offset: usize) -> String {
    let mut text = String::with_capacity(sql.len() + 8);
    let mut rest = sql;
    while let Some((head, tail)) = rest.split_once('$') {
        text.push_str(head);
        let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = tail.split_at(digits);
        match number.parse::<usize>() {
            // Writing to a String cannot fail.
            Ok(number) => drop(write!(text, "{sign}{}", number + offset)),
            Err(_) => text.push('$'),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

fn placeholders(dialect: Dialect, sql: &str) -> String {
    let mut text = String::with_capacity(sql.len() + 64);
    let mut rest = sql;
    let mut open = 0;
    while let Some((head, tail)) = rest.split_once('{') {
        text.push_str(head);
        let Some((name, after)) = tail.split_once('}') else {
            text.push('{');
            rest = tail;
            continue;
        };
        rest = after;
        match name.split_once(':') {
            Some(("list", argument)) => {
                in_list(dialect, &mut text, argument);
                rest = rest.strip_prefix(')').unwrap_or(rest);
            }
            Some(("set", name)) if dialect == Dialect::Postgres => {
                in_array(&mut text);
                text.push_str("SELECT id FROM ");
                text.push_str(name);
                text.push(')');
            }
            Some(("members", name)) if dialect == Dialect::Postgres => {
                text.push_str("SELECT id FROM ");
                text.push_str(name);
            }
            Some((word, argument)) => match function(dialect, word, argument) {
                Some(words) => text.push_str(&words),
                None => put_back(&mut text, name),
            },
            None if name == "of" && dialect == Dialect::Postgres => {
                in_array(&mut text);
                open += 1;
            }
            None if name == "end" && open > 0 => {
                text.push(')');
                open -= 1;
            }
            None if name == other(dialect) => {
                rest = rest.split_once("{end}").map_or("", |(_, after)| after);
            }
            None => match word(dialect, name) {
                Some(words) => text.push_str(words),
                None => put_back(&mut text, name),
            },
        }
    }
    text.push_str(rest);
    text
}

/// What is no placeholder stays, such as an empty JSON object.
fn put_back(text: &mut String, name: &str) {
    text.push('{');
    text.push_str(name);
    text.push('}');
}

/// The name of the part that this engine leaves out.
const fn other(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "postgres",
        Dialect::Postgres => "sqlite",
    }
}

fn word(dialect: Dialect, name: &str) -> Option<&'static str> {
    let (sqlite, postgres) = match name {
        "blob" => ("BLOB", "BYTEA"),
        "lock" => ("", " FOR UPDATE"),
        "hold" => ("", " FOR NO KEY UPDATE"),
        "share" => ("", " FOR SHARE"),
        "skip_locked" => ("", " FOR UPDATE SKIP LOCKED"),
        "shard" => ("0", "pg_backend_pid() % 64"),
        "binary" => ("", " COLLATE \"C\""),
        "aside" => ("+", ""),
        "position" => ("instr", "strpos"),
        "of" | "end" | "sqlite" | "postgres" => ("", ""),
        _ => return None,
    };
    Some(match dialect {
        Dialect::Sqlite => sqlite,
        Dialect::Postgres => postgres,
    })
}

fn function(dialect: Dialect, word: &str, argument: &str) -> Option<String> {
    match (word, dialect) {
        ("rows", Dialect::Sqlite) => Some(format!("json_each({argument})")),
        ("rows", Dialect::Postgres) => Some(format!("json_array_elements_text({argument}::json)")),
        ("json", Dialect::Sqlite) => Some(argument.to_owned()),
        ("json", Dialect::Postgres) => Some(format!("{argument}::jsonb")),
        ("each", _) => {
            let (column, label) = argument.split_once('|')?;
            Some(match dialect {
                Dialect::Sqlite => format!("json_each({column}, '$.\"{label}\"') e"),
                Dialect::Postgres => format!("jsonb_array_elements({column}::jsonb -> '{label}') e(value)"),
            })
        }
        _ => None,
    }
}

fn in_list(dialect: Dialect, text: &mut String, argument: &str) {
    let (before, after) = match dialect {
        Dialect::Sqlite => ("SELECT value FROM json_each(", "))"),
        Dialect::Postgres => ("SELECT json_array_elements_text(", "::json)))"),
    };
    if dialect == Dialect::Postgres {
        in_array(text);
    }
    text.push_str(before);
    text.push_str(argument);
    text.push_str(after);
}

/// Puts an array in place of the set whose beginning was just written. As a join with a set of unknown size, PostgreSQL
/// reads the whole table as long as it believes it small; an array it looks up in the index.
fn in_array(text: &mut String) {
    let (head, array) = if text.ends_with("NOT IN (") {
        ("NOT IN (", "<> ALL (ARRAY(")
    } else {
        ("IN (", "= ANY (ARRAY(")
    };
    text.truncate(text.len().saturating_sub(head.len()));
    text.push_str(array);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_arguments_are_numbered_anew() {
        assert_eq!(
            arguments("a = $1 AND b = '$' AND c = $12$", "$", 3),
            "a = $4 AND b = '$' AND c = $15$"
        );
        assert_eq!(arguments("$.x", "?", 0), "$.x");
    }

    #[test]
    fn placeholders_become_each_engines_words() {
        assert_eq!(
            translate(Dialect::Postgres, "{members:s} UNION SELECT 1"),
            "SELECT id FROM s UNION SELECT 1"
        );
        let sql = "SELECT a FROM t WHERE b IN ({list:$1}) AND c NOT IN ({list:$2}) AND d IN ({of}SELECT e FROM u{end}){lock}";
        assert_eq!(
            translate(Dialect::Postgres, "a IN ({set:s}) AND b"),
            "a = ANY (ARRAY(SELECT id FROM s)) AND b"
        );
        assert_eq!(
            translate(Dialect::Sqlite, sql),
            "SELECT a FROM t WHERE b IN (SELECT value FROM json_each(?1)) AND c NOT IN (SELECT value FROM json_each(?2)) \
             AND d IN (SELECT e FROM u)"
        );
        assert_eq!(
            translate(Dialect::Postgres, sql),
            "SELECT a FROM t WHERE b = ANY (ARRAY(SELECT json_array_elements_text($1::json))) \
             AND c <> ALL (ARRAY(SELECT json_array_elements_text($2::json))) \
             AND d = ANY (ARRAY(SELECT e FROM u)) FOR UPDATE"
        );
    }

    #[test]
    fn json_and_order_become_each_engines_words() {
        let sql = "SELECT 1 FROM {each:d.search|emails} WHERE {position}(e.value ->> 'type', $1) > 0 \
                   AND {json:d.search} -> 'x' -> 0 ->> 'value'{binary} > $2";
        assert_eq!(
            translate(Dialect::Sqlite, sql),
            "SELECT 1 FROM json_each(d.search, '$.\"emails\"') e WHERE instr(e.value ->> 'type', ?1) > 0 \
             AND d.search -> 'x' -> 0 ->> 'value' > ?2"
        );
        assert_eq!(
            translate(Dialect::Postgres, sql),
            "SELECT 1 FROM jsonb_array_elements(d.search::jsonb -> 'emails') e(value) WHERE strpos(e.value ->> 'type', $1) > 0 \
             AND d.search::jsonb -> 'x' -> 0 ->> 'value' COLLATE \"C\" > $2"
        );
    }

    #[test]
    fn parts_for_one_engine_are_left_out_for_the_other() {
        let sql = "a {sqlite}b {shard}{end} c {postgres}d{end} e '{}' {unknown} {";
        assert_eq!(translate(Dialect::Sqlite, sql), "a b 0 c  e '{}' {unknown} {");
        assert_eq!(translate(Dialect::Postgres, sql), "a  c d e '{}' {unknown} {");
    }
}
