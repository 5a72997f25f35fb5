//! One request of a directory from beginning to end: who asks, whether it may, what it wants, the answer and the log.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use provost_scim::{ScimError, Version};
use provost_store::ScimRequest;
use serde_json::Value;

use crate::app::App;
use crate::flow::scim::access::{self, Caller, Presented};
pub use crate::flow::scim::answer::Answer;
use crate::flow::scim::body::Received;
use crate::flow::scim::target::{Target, Verb};
use crate::flow::scim::{Failure, log, mask, operation};

/// A request as it came.
pub struct Call<'a> {
    /// Method; an override is applied already.
    pub method: String,
    /// Path, still encoded.
    pub path: String,
    /// Query, still encoded.
    pub query: String,
    /// Value of the `Authorization` header.
    pub authorization: Option<String>,
    /// Values of other headers by name.
    pub header: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// Versions that the client demands.
    pub if_match: Option<String>,
    /// Versions that the client has already.
    pub if_none_match: Option<String>,
    /// Body.
    pub body: Received,
    /// The client's address, as rate limits count it.
    pub client: String,
    /// Identifier of the request.
    pub request: String,
}

/// What a known caller wants, with all parts decoded.
pub struct Wanted {
    /// How.
    pub verb: Verb,
    /// Of what.
    pub target: Target,
    /// Parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Body, if one was sent.
    pub body: Option<Value>,
    /// Versions that the client demands.
    pub if_match: Option<String>,
    /// Versions that the client has already.
    pub if_none_match: Option<String>,
    /// Size of the body in bytes.
    pub size: usize,
}

/// Serves a request. The log entry lacks only the duration.
pub async fn serve(app: &App, call: Call<'_>) -> (Answer, ScimRequest) {
    let segments = segments(&call.path);
    let connection = segments.first().cloned().unwrap_or_default();
    let version = version_of(&call.path);
    let verb = Verb::of(&call.method);
    let query = match call.query.as_str() {
        "" => String::new(),
        query => format!("?{}", mask::query(query)),
    };
    let mut entry = ScimRequest {
        id: call.request.clone(),
        connection: excerpt(&connection, 64),
        at: app.world.now(),
        method: excerpt(&call.method, 16),
        path: format!("{}{query}", excerpt(&below(&segments), 500)),
        version: match version {
            Version::V1 => "1.1",
            Version::V2 => "2.0",
        }
        .to_owned(),
        action: format!("unknown.{}", verb.name().to_ascii_lowercase()),
        target: None,
        token: None,
        status: 0,
        outcome: String::new(),
        code: None,
        detail: None,
        duration_us: 0,
        remote: Some(call.client.clone()),
        user_agent: (call.header)("user-agent").map(|agent| excerpt(&agent, 200)),
        trace: None,
        request: None,
        response: None,
    };
    let answer = match enter(app, &call, &connection, &segments, &mut entry).await {
        Ok((caller, target)) => continue_as(app, &caller, verb, target, call, &mut entry).await,
        Err(failure) => Answer::failure(failure, version),
    };
    log::conclude(&mut entry, &answer);
    (answer, entry)
}

/// Finds out who asks and what for.
async fn enter(
    app: &App,
    call: &Call<'_>,
    connection: &str,
    segments: &[String],
    entry: &mut ScimRequest,
) -> Result<(Arc<Caller>, Target), Failure> {
    let presented = Presented {
        connection,
        authorization: call.authorization.as_deref(),
        header: call.header,
        client: &call.client,
    };
    let Some((token, live)) = access::identify(app, &presented).await? else {
        return Err(access::refuse(app, &presented).await);
    };
    entry.token = Some(token.id.clone());
    let version = match segments.get(1).map(String::as_str) {
        Some("v1") => Some(Version::V1),
        Some("v2") => Some(Version::V2),
        Some(_) | None => None,
    };
    let caller = Arc::new(access::admit(app, token, live, version).await?);
    let is_look = call.method == "GET" || call.path.ends_with("/.search");
    if caller.live.stage.is_draft() && !is_look {
        return Err(ScimError::forbidden(
            "this connection is being set up: it can be looked at, and takes changes once it is live",
        )
        .into());
    }
    let rest = segments.get(2..).unwrap_or_default();
    let target = Target::parse(caller.version, rest).ok_or_else(|| ScimError::not_found("This address"))?;
    Ok((caller, target))
}

/// Does what a known caller wants.
async fn continue_as(
    app: &App,
    caller: &Arc<Caller>,
    verb: Verb,
    target: Target,
    call: Call<'_>,
    entry: &mut ScimRequest,
) -> Answer {
    entry.action = action(verb, &target);
    if !target.methods().contains(&verb) {
        return Answer {
            allow: Some(target.allow()),
            ..Answer::error(&ScimError::method_not_allowed(), caller.version)
        };
    }
    let takes_body = matches!(verb, Verb::Post | Verb::Put | Verb::Patch) && target != Target::Me;
    let read = if takes_body {
        call.body.object().map(|(body, size)| (Some(body), size))
    } else {
        Ok((None, 0))
    };
    let (body, size) = match read {
        Ok(read) => read,
        Err(error) => return Answer::error(&error, caller.version),
    };
    entry.request = body.as_ref().map(|body| mask::written(body, size));
    let wanted = Wanted {
        verb,
        target,
        query: pairs(&call.query),
        body,
        if_match: call.if_match,
        if_none_match: call.if_none_match,
        size,
    };
    match operation::perform(app, caller, wanted).await {
        Ok(answer) => answer,
        Err(failure) => Answer::failure(failure, caller.version),
    }
}

/// Names what is done, for the log.
fn action(verb: Verb, target: &Target) -> String {
    let done = match (verb, target) {
        (_, Target::Search(_)) | (Verb::Get, Target::Collection(_)) => "list",
        (_, Target::ServiceProviderConfig | Target::ResourceTypes(_) | Target::Schemas(_))
        | (Verb::Get, _) => "read",
        (_, Target::Bulk) => "run",
        (Verb::Post, _) => "create",
        (Verb::Put, _) => "replace",
        (Verb::Patch, _) => "patch",
        (Verb::Delete, _) => "delete",
        (Verb::Other, _) => "other",
    };
    format!("{}.{done}", target.word())
}

/// Takes the path below `/scim` apart. Slashes too many or at the end mean nothing: admins type base addresses.
fn segments(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .skip(1)
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect()
}

/// Returns the version that an address asks for; 2.0 where it asks for none.
pub fn version_of(path: &str) -> Version {
    match segments(path).get(1).map(String::as_str) {
        Some("v1") => Version::V1,
        Some(_) | None => Version::V2,
    }
}

/// Returns the connection whose token endpoint an address is, if it is one.
pub fn token_endpoint(path: &str) -> Option<String> {
    match segments(path).as_slice() {
        [connection, oauth, token] if oauth == "oauth2" && token == "token" => Some(connection.clone()),
        _ => None,
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// Writes the address below the connection's base.
fn below(segments: &[String]) -> String {
    let rest = segments.get(1..).unwrap_or_default();
    format!("/{}", rest.join("/"))
}

/// Cuts what a client wrote to what a log can bear.
fn excerpt(text: &str, most: usize) -> String {
    text.chars()
        .filter(|letter| !letter.is_control())
        .take(most)
        .collect()
}

#[cfg(test)]
mod tests {
    use provost_scim::Version;

    use super::{segments, version_of};

    #[test]
    fn slashes_too_many_mean_nothing() {
        for path in [
            "/scim/okta/v2/Users",
            "/scim//okta/v2//Users/",
            "/scim/okta/v2/Users//",
        ] {
            assert_eq!(segments(path), ["okta", "v2", "Users"], "{path}");
        }
        assert_eq!(
            segments("/scim/okta/v2/Groups/a%2Fb"),
            ["okta", "v2", "Groups", "a/b"]
        );
        assert!(segments("/scim").is_empty());
        assert_eq!(version_of("/scim/okta/v1/Users"), Version::V1);
        assert_eq!(version_of("/scim/okta/"), Version::V2);
    }
}
