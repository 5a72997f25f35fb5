//! What the trigger at the end of a transaction on PostgreSQL is told (`migrations/0100_feed_flush.sql`).

use std::collections::BTreeMap;

/// Events to be numbered, and rows to be chained, each as JSON.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) events: Vec<String>,
    /// Chain by chain, each in the order of its events.
    pub(crate) chains: BTreeMap<String, Vec<String>>,
}

impl Note {
    /// Writes what one transaction has to tell, or several in the order given.
    pub(crate) fn text<'n>(notes: impl Iterator<Item = &'n Self> + Clone) -> String {
        let events: Vec<&str> = notes
            .clone()
            .flat_map(|note| &note.events)
            .map(String::as_str)
            .collect();
        let mut chains: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (chain, rows) in notes.flat_map(|note| &note.chains) {
            chains
                .entry(chain)
                .or_default()
                .extend(rows.iter().map(String::as_str));
        }
        let rows: Vec<&str> = chains.into_values().flatten().collect();
        format!(
            r#"{{"events":[{}],"audit":[{}]}}"#,
            events.join(","),
            rows.join(",")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_notes_are_one_chain_by_chain() {
        let note = |number: u32, chains: &[&str]| Note {
            events: vec![format!("{{\"e\":{number}}}")],
            chains: chains
                .iter()
                .map(|chain| ((*chain).to_owned(), vec![format!("\"{chain}{number}\"")]))
                .collect(),
        };
        let notes = [note(1, &["", "b"]), note(2, &["a", "b"]), note(3, &[""])];
        assert_eq!(
            Note::text(notes.iter()),
            r#"{"events":[{"e":1},{"e":2},{"e":3}],"audit":["1","3","a2","b1","b2"]}"#
        );
        assert_eq!(Note::text([].iter()), r#"{"events":[],"audit":[]}"#);
    }
}
