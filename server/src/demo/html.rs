//! Reads forms and text out of plain HTML pages, for the demo's browser. Not a general HTML parser.

/// The script of hand-over pages.
const SUBMIT: &str = "/assets/submit.js";

/// A form as found in a page.
pub(super) struct Form {
    /// Where it goes; empty means the page itself.
    pub(super) action: String,
    /// Whether it is posted.
    pub(super) is_post: bool,
    /// Names and values in order.
    pub(super) fields: Vec<(String, String)>,
}

impl Form {
    /// Tells whether there is a field of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }

    /// Sets a field.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        for (field, slot) in &mut self.fields {
            if field == name {
                value.clone_into(slot);
            }
        }
    }
}

/// Finds all forms of a page.
pub(super) fn forms(page: &str) -> Vec<Form> {
    elements(page, "form")
        .into_iter()
        .map(|(tag, inside)| form(tag, inside))
        .collect()
}

/// Finds the form of a hand-over page, which submits itself by our one script: SAML POST binding, `form_post`.
pub(super) fn self_submitting_form(page: &str) -> Option<Form> {
    let submits_itself = tags(page, "script")
        .into_iter()
        .any(|tag| attribute(tag, "src").as_deref() == Some(SUBMIT));
    if !submits_itself {
        return None;
    }
    elements(page, "form")
        .first()
        .map(|(tag, inside)| form(tag, inside))
}

fn form(tag: &str, inside: &str) -> Form {
    let fields = tags(inside, "input")
        .into_iter()
        .filter(|tag| attribute(tag, "type").as_deref() != Some("submit"))
        .filter_map(|tag| {
            Some((
                attribute(tag, "name")?,
                attribute(tag, "value").unwrap_or_default(),
            ))
        })
        .collect();
    Form {
        action: attribute(tag, "action").unwrap_or_default(),
        is_post: attribute(tag, "method").is_some_and(|method| method.eq_ignore_ascii_case("post")),
        fields,
    }
}

/// Returns the text of the first element with this `id`-less tag name, tags removed.
pub(super) fn text_of(page: &str, name: &str) -> Option<String> {
    elements(page, name).first().map(|(_, inside)| {
        let mut text = String::new();
        let mut is_tag = false;
        for character in inside.chars() {
            match character {
                '<' => is_tag = true,
                '>' => is_tag = false,
                other if !is_tag => text.push(other),
                _ => {}
            }
        }
        unescape(&text.split_whitespace().collect::<Vec<_>>().join(" "))
    })
}

/// Finds `<name …>…</name>` pairs: start tag and what is inside.
fn elements<'page>(page: &'page str, name: &str) -> Vec<(&'page str, &'page str)> {
    let end = format!("</{name}>");
    let mut found = Vec::new();
    for tag in tags(page, name) {
        let after = page.get(offset(page, tag) + tag.len()..).unwrap_or_default();
        found.push((tag, after.split(&end).next().unwrap_or_default()));
    }
    found
}

fn offset(page: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(page.as_ptr() as usize)
}

/// Finds start tags of this name, whole, with their brackets.
fn tags<'page>(page: &'page str, name: &str) -> Vec<&'page str> {
    let open = format!("<{name}");
    page.match_indices(&open)
        .filter_map(|(start, _)| {
            let rest = page.get(start..)?;
            let tag = rest.get(..=rest.find('>')?)?;
            let is_whole_name = tag
                .get(open.len()..)?
                .starts_with([' ', '>', '/', '\n', '\r', '\t']);
            is_whole_name.then_some(tag)
        })
        .collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\"")).map(|at| at + name.len() + 3)?;
    let value = tag.get(start..)?;
    Some(unescape(value.split('"').next().unwrap_or_default()))
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(rest.get(..start).unwrap_or_default());
        let tail = rest.get(start..).unwrap_or_default();
        let entity = tail
            .find(';')
            .filter(|end| *end <= 8)
            .and_then(|end| Some((tail.get(1..end)?, tail.get(end + 1..)?)));
        if let Some((character, after)) = entity.and_then(|(name, after)| Some((named(name)?, after))) {
            plain.push(character);
            rest = after;
        } else {
            plain.push('&');
            rest = tail.get(1..).unwrap_or_default();
        }
    }
    plain.push_str(rest);
    plain
}

fn named(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        numeric => {
            let code = match numeric.strip_prefix("#x").or_else(|| numeric.strip_prefix("#X")) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => numeric.strip_prefix('#')?.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_gives_its_target_and_fields_unescaped() {
        let page = r#"<form method="post" action="/a?b=1&amp;c=2"><input name="x" value="&quot;1&#x27;"><input type="submit" value="Go"></form>"#;
        let forms = forms(page);
        assert_eq!(forms.len(), 1);
        assert_eq!(forms[0].action, "/a?b=1&c=2");
        assert!(forms[0].is_post);
        assert_eq!(forms[0].fields, [("x".to_owned(), "\"1'".to_owned())]);
    }

    #[test]
    fn only_a_hand_over_page_submits_itself() {
        assert!(self_submitting_form(r#"<form action="/x"><input name="a"></form>"#).is_none());
        let page =
            r#"<form action="/x"><input name="a"></form><script src="/assets/submit.js" defer></script>"#;
        assert_eq!(self_submitting_form(page).expect("a form").action, "/x");
    }

    #[test]
    fn text_loses_its_tags() {
        assert_eq!(
            text_of("<h1>You <b>may</b>\n in &amp; out</h1>", "h1").as_deref(),
            Some("You may in & out")
        );
    }
}
