//! How an organization's mail looks and speaks: name, logo, color, language, where answers go. A setting of the organization.

use provost_kernel::email::Email;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::mail_words;

/// Where it lies among the settings of an organization.
const KEY: &str = "mail";

/// How an organization's mail looks and speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Branding {
    /// Name of the product or sender as people know it; the organization's name if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Picture at the top, an `https` address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
    /// Color of the button, such as `#1c4fb0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^#[0-9A-Fa-f]{6}$"))]
    pub color: Option<String>,
    /// Language of the mail: `en`, `de`, or another that has words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Address where answers go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}

impl Branding {
    /// Reads it from the settings of an organization; what cannot be read counts as absent.
    pub fn of(settings: &Value) -> Self {
        settings
            .get(KEY)
            .and_then(|value| serde_json::from_value(value.clone()).ok())
            .unwrap_or_default()
    }

    /// Puts it into the settings of an organization.
    pub fn put(self, settings: &mut Value) {
        let Some(map) = settings.as_object_mut() else {
            return;
        };
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) if !fields.is_empty() => {
                map.insert(KEY.to_owned(), Value::Object(fields));
            }
            Ok(_) | Err(_) => {
                map.remove(KEY);
            }
        }
    }

    /// Says what is wrong with it: field and reason.
    pub fn problems(&self) -> Vec<(&'static str, &'static str)> {
        let mut problems = Vec::new();
        let is_plain = |text: &String| {
            !text.trim().is_empty() && text.chars().count() <= 100 && !text.chars().any(char::is_control)
        };
        if self.sender.as_ref().is_some_and(|name| !is_plain(name)) {
            problems.push(("sender", "must have 1 to 100 characters, none of them a control"));
        }
        let is_https = |text: &String| {
            text.len() <= 500 && url::Url::parse(text).is_ok_and(|url| url.scheme() == "https")
        };
        if self.logo_url.as_ref().is_some_and(|url| !is_https(url)) {
            problems.push(("logo_url", "must be an https address"));
        }
        if self.color.as_ref().is_some_and(|color| rgb(color).is_none()) {
            problems.push(("color", "must be a color such as #1c4fb0"));
        }
        if self
            .language
            .as_ref()
            .is_some_and(|language| !mail_words::has(language))
        {
            problems.push(("language", "there are no words in this language"));
        }
        if self
            .reply_to
            .as_ref()
            .is_some_and(|text| Email::parse(text).is_err())
        {
            problems.push(("reply_to", "is not an e-mail address that can be used here"));
        }
        problems
    }

    /// Returns the color of buttons and the one of the text upon them, which can be read there.
    pub fn colors(&self) -> (String, &'static str) {
        let color = self.color.clone().filter(|color| rgb(color).is_some());
        let color = color.unwrap_or_else(|| "#1c4fb0".to_owned());
        let [red, green, blue] = rgb(&color).unwrap_or_default();
        let light = (u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114) / 1000;
        (color, if light > 150 { "#000000" } else { "#ffffff" })
    }
}

fn rgb(color: &str) -> Option<[u8; 3]> {
    let digits = color.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let number = u32::from_str_radix(digits, 16).ok()?;
    let [_, red, green, blue] = number.to_be_bytes();
    Some([red, green, blue])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_break_out_of_a_mail_is_refused() {
        let wrong = Branding {
            sender: Some("Home\r\nBcc: x@evil.example".to_owned()),
            logo_url: Some("javascript:alert(1)".to_owned()),
            color: Some("#fff;background:url(//evil.example)".to_owned()),
            language: Some("xx".to_owned()),
            reply_to: Some("a@b.example\r\nBcc: c@d.example".to_owned()),
        };
        let fields: Vec<_> = wrong.problems().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["sender", "logo_url", "color", "language", "reply_to"]);
        assert_eq!(wrong.colors().0, "#1c4fb0");
        assert_eq!(
            Branding {
                color: Some("#ffee00".to_owned()),
                ..Branding::default()
            }
            .colors()
            .1,
            "#000000"
        );
        assert!(rgb("#+1+1+1").is_none());
    }
}
