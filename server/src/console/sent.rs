//! Forms of the console and of the set-up portal as they were sent: proved to come from this session's, or this link's, own page
//! before anything reads them.

use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request};
use percent_encoding::percent_decode_str;

use super::visit::Stop;
use crate::app::App;
use crate::cookie::Cookie;
use crate::error::AppError;
use crate::http::browser;

/// Most fields of a form.
const MOST_FIELDS: usize = 2_000;

/// The fields of a form that came from this session's own page.
#[derive(Clone, Debug, Default)]
pub struct Sent(Vec<(String, String)>);

impl Sent {
    /// Returns the first value of a field, trimmed; empty if there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value.trim())
    }

    /// Returns the first value of a field if it says anything.
    pub fn some(&self, name: &str) -> Option<String> {
        Some(self.get(name))
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
    }

    /// Returns every value of a field.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// Tells whether a box was ticked.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

impl FromRequest<App> for Sent {
    type Rejection = Stop;

    async fn from_request(request: Request, app: &App) -> Result<Self, Self::Rejection> {
        let headers = request.headers().clone();
        let is_portal = request.uri().path().starts_with("/setup/");
        let body = Bytes::from_request(request, app)
            .await
            .map_err(|_| unreadable())?;
        let fields = read(&body).ok_or_else(unreadable)?;
        let sent = Self(fields);
        let proof = if is_portal { Cookie::SetUp } else { Cookie::Session };
        browser::check_form_of(app, &headers, proof, sent.get("form_token"))?;
        Ok(sent)
    }
}

/// The fields of a form with a file, which came from this session's own page. A file is a field like the others.
#[derive(Clone, Debug, Default)]
pub struct Uploaded(pub Sent);

impl FromRequest<App> for Uploaded {
    type Rejection = Stop;

    async fn from_request(request: Request, app: &App) -> Result<Self, Self::Rejection> {
        let headers = request.headers().clone();
        let mut parts = Multipart::from_request(request, app)
            .await
            .map_err(|_| unreadable())?;
        let mut fields = Vec::new();
        while let Some(part) = parts.next_field().await.map_err(|_| unreadable())? {
            let name = part.name().unwrap_or_default().to_owned();
            // Fields are few; the limit of the body holds for all of them together.
            if fields.len() >= MOST_FIELDS {
                return Err(unreadable().into());
            }
            let value = part.bytes().await.map_err(|_| unreadable())?;
            let text = String::from_utf8(value.to_vec()).map_err(|_| {
                AppError::unprocessable(
                    "invalid_import",
                    "The file is not text in UTF-8. Save it as CSV (UTF-8).",
                )
            })?;
            fields.push((name, text));
        }
        let sent = Sent(fields);
        browser::check_session_form(app, &headers, sent.get("form_token"))?;
        Ok(Self(sent))
    }
}

fn unreadable() -> AppError {
    AppError::bad_request("invalid_form", "The form could not be read.")
}

/// Reads `application/x-www-form-urlencoded`.
pub(super) fn read(body: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(body).ok()?;
    let parts: Vec<&str> = text.split('&').filter(|part| !part.is_empty()).collect();
    if parts.len() > MOST_FIELDS {
        return None;
    }
    let decode = |part: &str| {
        percent_decode_str(&part.replace('+', " "))
            .decode_utf8()
            .ok()
            .map(|text| text.replace("\r\n", "\n"))
    };
    parts
        .into_iter()
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_form_is_read_with_all_values_of_a_field() {
        let fields = read(b"a=1&b=x+y%20%26z&a=2&c").unwrap();
        let expected = [("a", "1"), ("b", "x y &z"), ("a", "2"), ("c", "")];
        assert_eq!(
            fields,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn what_is_no_text_or_too_much_is_no_form() {
        assert!(read(b"a=%ff").is_none());
        assert!(read(&[0xff, b'=', b'1']).is_none());
        assert!(read("a=1&".repeat(2001).as_bytes()).is_none());
    }
}
