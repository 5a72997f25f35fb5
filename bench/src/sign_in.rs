//! One whole sign-in, played from outside: app, browser and identity provider in one function.

use anyhow::{Context as _, Result, bail, ensure};
use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use provost_saml::issue::parse_authn_request;
use provost_saml::logout::Received;
use serde::Deserialize;
use url::form_urlencoded::{Serializer, parse};

use crate::client::Client;
use crate::clock;
use crate::identity_provider::{KeyKind, Party, Person, Request, Signed, answer};
use crate::installation::{CLIENT_ID, CLIENT_SECRET, IDP, REDIRECT_URI, SSO};

/// Most redirects in a row.
const MAX_HOPS: usize = 6;

/// Who signs in, and where.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Base URL of the server.
    pub origin: &'a str,
    /// Kind of the identity provider's key.
    pub kind: KeyKind,
    /// That key.
    pub party: &'a Party,
    /// The person.
    pub person: &'a Person,
}

/// Signs the person in, from the app's redirect to the ID token, and returns her stable id (`sub`).
///
/// # Errors
/// Whatever is not as it has to be, with the beginning of the page.
pub async fn sign_in(client: &mut Client, attempt: Attempt<'_>) -> Result<String> {
    let (state, nonce, verifier) = (random()?, random()?, random()?);
    let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
    let query = Serializer::new(String::new())
        .append_pair("response_type", "code")
        .append_pair("client_id", CLIENT_ID)
        .append_pair("redirect_uri", REDIRECT_URI)
        .append_pair("scope", "openid profile email")
        .append_pair("state", &state)
        .append_pair("nonce", &nonce)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .append_pair("connection", attempt.kind.connection())
        .finish();
    client.forget();
    let leaving = follow(client, attempt.origin, &format!("/oauth2/authorize?{query}"), SSO).await?;
    let (path, form) = answer_request(&leaving, &attempt)?;
    let arrived = client.post(&path, form, &[]).await?;
    let back = arrived
        .redirect("the answer of the identity provider")?
        .to_owned();
    let landed = if back.starts_with(REDIRECT_URI) {
        back
    } else {
        follow(client, attempt.origin, &back, REDIRECT_URI).await?
    };
    let returned = landed.split_once('?').context("no query at the app")?.1;
    ensure!(
        value(returned, "state").as_deref() == Some(state.as_str()),
        "another state: {landed}"
    );
    let code = value(returned, "code").with_context(|| format!("no code: {landed}"))?;
    redeem(client, &code, &verifier, &nonce, attempt.person).await
}

/// Follows redirects of the server from `path` to an address that begins with `target`.
async fn follow(client: &mut Client, origin: &str, path: &str, target: &str) -> Result<String> {
    let mut path = path.to_owned();
    for _ in 0..MAX_HOPS {
        let answer = client.get(path.strip_prefix(origin).unwrap_or(&path)).await?;
        let location = answer.redirect(&path)?.to_owned();
        if location.starts_with(target) {
            return Ok(location);
        }
        path = location;
    }
    bail!("more than {MAX_HOPS} redirects, last to {path}")
}

/// Plays the identity provider: reads the request in the address and returns path and form of the answer.
fn answer_request(leaving: &str, attempt: &Attempt<'_>) -> Result<(String, String)> {
    let query = leaving
        .split_once('?')
        .context("no query at the identity provider")?
        .1;
    let request = parse_authn_request(Received::Redirect(query), None)?;
    let acs_url = request
        .acs_url
        .context("no assertion consumer address in the request")?;
    let question = Request {
        id: &request.id,
        acs_url: &acs_url,
        audience: &request.issuer,
        issuer: IDP,
    };
    let signed = Signed {
        response: false,
        assertion: true,
    };
    let response = answer(
        attempt.party,
        question,
        attempt.person,
        signed,
        None,
        clock::now(),
    )?;
    let mut form = Serializer::new(String::new());
    form.append_pair("SAMLResponse", &response);
    if let Some(relay_state) = &request.relay_state {
        form.append_pair("RelayState", relay_state);
    }
    let path = acs_url
        .strip_prefix(attempt.origin)
        .context("the answer goes elsewhere")?
        .to_owned();
    Ok((path, form.finish()))
}

/// What the token endpoint answers, as far as we look.
#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    id_token: String,
}

/// Claims of the ID token, as far as we look.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    nonce: String,
    email: String,
}

/// Plays the app: exchanges the code and looks at the ID token.
async fn redeem(
    client: &mut Client,
    code: &str,
    verifier: &str,
    nonce: &str,
    person: &Person,
) -> Result<String> {
    let form = Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", REDIRECT_URI)
        .append_pair("code_verifier", verifier)
        .finish();
    let basic = format!(
        "Basic {}",
        STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"))
    );
    // The app's own server calls; it carries none of the person's cookies.
    client.forget();
    let answer = client
        .post("/oauth2/token", form, &[("authorization", &basic)])
        .await?;
    ensure!(
        answer.status == hyper::StatusCode::OK,
        "the token endpoint answers {}",
        answer.excerpt()
    );
    let tokens: Tokens = serde_json::from_slice(&answer.body)?;
    ensure!(!tokens.access_token.is_empty(), "no access token");
    let payload = tokens.id_token.split('.').nth(1).context("no ID token")?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?;
    ensure!(claims.nonce == nonce, "the ID token answers another request");
    ensure!(
        claims.email == person.email,
        "the ID token is about {}",
        claims.email
    );
    Ok(claims.sub)
}

fn value(query: &str, name: &str) -> Option<String> {
    parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn random() -> Result<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
