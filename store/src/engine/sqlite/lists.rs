//! Lists and sets as values in the text of a statement. A list that is a table, or a set that is written out wherever it is
//! spoken of, costs SQLite a table of its own each time; a single value is a look-up in an index. Never knows a table.

use std::borrow::Cow;

use crate::engine::batch::Query;
use crate::error::Result;
use crate::value::{Bind, list};

/// Values up to which a set stands in the text, value by value. Their number is rounded up, so that few texts are prepared.
const FEW: usize = 8;

/// A set that was looked up.
pub(super) struct Known {
    pub(super) name: Cow<'static, str>,
    pub(super) values: Vec<String>,
}

/// Puts the values of sets where a statement speaks of the sets.
pub(super) fn with_values(mut query: Query, known: &[Known]) -> Result<Query> {
    for Known { name, values } in known {
        let (place, whole) = (format!("{{set:{name}}}"), format!("{{members:{name}}}"));
        if !query.sql.contains(&place) && !query.sql.contains(&whole) {
            continue;
        }
        let first = query.binds.len() + 1;
        let (among, select) = if values.is_empty() {
            (String::new(), "SELECT NULL WHERE 0".to_owned())
        } else if values.len() <= FEW {
            let padding = values.len().next_power_of_two() - values.len();
            let padded = values
                .iter()
                .chain(values.last().into_iter().cycle().take(padding));
            query.binds.extend(padded.cloned().map(Bind::from));
            let numbers: Vec<String> = (first..=query.binds.len())
                .map(|number| format!("${number}"))
                .collect();
            (numbers.join(", "), format!("VALUES ({})", numbers.join("), (")))
        } else {
            query.binds.push(list(values)?.into());
            (
                format!("{{list:${first}}}"),
                format!("SELECT value FROM {{rows:${first}}}"),
            )
        };
        query.sql = query.sql.replace(&place, &among).replace(&whole, &select);
    }
    Ok(query)
}

/// Turns lists of one text into that text.
pub(super) fn short_lists<'s>(sql: &'s str, binds: &mut [Bind]) -> Cow<'s, str> {
    let mut text = Cow::Borrowed(sql);
    if !sql.contains("{list:") {
        return text;
    }
    for (at, value) in binds.iter_mut().enumerate() {
        let argument = format!("${}", at + 1);
        let place = format!("{{list:{argument}}}");
        if !text.contains(&place) || spoken_of(&text, &argument) != text.matches(&place).count() {
            continue;
        }
        if let Some(only) = only(value) {
            text = Cow::Owned(text.replace(&place, &argument));
            *value = only.into();
        }
    }
    text
}

/// Counts how often a statement speaks of an argument.
fn spoken_of(sql: &str, argument: &str) -> usize {
    let after = sql.split(argument).skip(1);
    after
        .filter(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
        .count()
}

fn only(value: &Bind) -> Option<String> {
    let Bind::Text(Some(text)) = value else {
        return None;
    };
    // A tuple of one is read no further than to the second element.
    serde_json::from_str::<(String,)>(text).ok().map(|(only,)| only)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::binds;

    fn known(name: &'static str, values: &[&str]) -> Known {
        Known {
            name: name.into(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    fn texts(binds: &[Bind]) -> Vec<&str> {
        let texts = binds.iter().map(|bind| match bind {
            Bind::Text(text) => text.as_deref(),
            Bind::Int(_) | Bind::Bytes(_) => None,
        });
        texts.flatten().collect()
    }

    #[test]
    fn sets_become_values_behind_the_other_arguments() {
        let nine: Vec<String> = (0..9).map(|number| number.to_string()).collect();
        let nine: Vec<&str> = nine.iter().map(String::as_str).collect();
        for (values, sql, added) in [
            (&[][..], "x IN () AND y = $1 OR z IN ()", 0),
            (&["a"][..], "x IN ($2) AND y = $1 OR z IN ($2)", 1),
            (
                &["a", "b", "c"][..],
                "x IN ($2, $3, $4, $5) AND y = $1 OR z IN ($2, $3, $4, $5)",
                4,
            ),
            (&nine[..], "x IN ({list:$2}) AND y = $1 OR z IN ({list:$2})", 1),
        ] {
            let query = Query::new("x IN ({set:s}) AND y = $1 OR z IN ({set:s})", binds!["one"]);
            let query = with_values(query, &[known("other", &["q"]), known("s", values)]).unwrap();
            assert_eq!(query.sql, sql);
            assert_eq!(query.binds.len(), 1 + added);
        }
        for (values, sql) in [
            (&[][..], "SELECT NULL WHERE 0 UNION SELECT $1"),
            (&["a", "b"][..], "VALUES ($2), ($3) UNION SELECT $1"),
            (&nine[..], "SELECT value FROM {rows:$2} UNION SELECT $1"),
        ] {
            let query = Query::new("{members:s} UNION SELECT $1", binds!["one"]);
            assert_eq!(with_values(query, &[known("s", values)]).unwrap().sql, sql);
        }
        let query = with_values(Query::new("{set:s}", Vec::new()), &[known("s", &["a", "b", "c"])]).unwrap();
        assert_eq!(texts(&query.binds), ["a", "b", "c", "c"]);
    }

    #[test]
    fn a_list_of_one_text_becomes_that_text() {
        let mut binds = binds![r#"["a\"b"]"#, r#"["a","b"]"#, "[]", "x"];
        let sql =
            "a IN ({list:$1}) AND b IN ({list:$2}) AND c NOT IN ({list:$3}) AND d = $4 OR e IN ({list:$1})";
        assert_eq!(
            short_lists(sql, &mut binds),
            "a IN ($1) AND b IN ({list:$2}) AND c NOT IN ({list:$3}) AND d = $4 OR e IN ($1)"
        );
        assert_eq!(texts(&binds), ["a\"b", r#"["a","b"]"#, "[]", "x"]);
    }

    #[test]
    fn a_list_that_is_needed_as_one_elsewhere_stays() {
        let mut binds = binds![r#"["a"]"#];
        let sql = "a IN ({list:$1}) AND b IN (SELECT value FROM {rows:$1})";
        assert_eq!(short_lists(sql, &mut binds), sql);
        let mut many = binds![r#"["a"]"#, "", "", "", "", "", "", "", "", "x"];
        assert_eq!(
            short_lists("a IN ({list:$1}) AND b = $10", &mut many),
            "a IN ($1) AND b = $10"
        );
    }
}
