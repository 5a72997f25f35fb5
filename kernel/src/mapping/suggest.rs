//! Finds the name that somebody probably meant. Never used to decide: names match character for character.

/// Longest name compared, in characters: the work grows with the square.
const LONGEST: usize = 80;

/// Returns the nearest candidate, if one is near: equal but for case and spaces, or at most two edits (one for short names) away.
pub(crate) fn suggest<'a>(meant: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = simplify(meant);
    let allowed = if wanted.len() < 5 { 1 } else { 2 };
    candidates
        .into_iter()
        .filter(|candidate| candidate.chars().count() <= LONGEST && meant.chars().count() <= LONGEST)
        .map(|candidate| (distance(&wanted, &simplify(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn simplify(name: &str) -> Vec<char> {
    name.chars()
        .filter(|next| !next.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Counts the insertions, deletions and replacements between two names (Levenshtein), one row at a time.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (position, from) in left.iter().enumerate() {
        let mut diagonal = position;
        let mut last = position + 1;
        let mut next = vec![last];
        for (to, above) in right.iter().zip(row.iter().skip(1)) {
            let cost = if from == to { diagonal } else { diagonal + 1 };
            last = cost.min(above + 1).min(last + 1);
            diagonal = *above;
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
