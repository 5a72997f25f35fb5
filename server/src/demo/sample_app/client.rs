//! The sample app's side of OpenID Connect: discovery, code flow with PKCE, ID token, sign-out.

use anyhow::{Context as _, Result, bail};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use jiff::{SignedDuration, Timestamp};
use provost_oidc::jose::{Algorithm, JwkSet};
use provost_oidc::rp::authorization::{AuthorizationRequest, ResponseMode};
use provost_oidc::rp::client_auth::ClientAuthentication;
use provost_oidc::rp::discovery::{self, ProviderMetadata};
use provost_oidc::rp::id_token::{self, Nonce};
use provost_oidc::rp::token::{TokenRequest, TokenResponse};
use provost_oidc::rp::{callback, logout};
use provost_oidc::{Params, Secret, Transport, pkce};
use url::Url;

use super::SignedIn;
use crate::outbound::Outbound;
use crate::world::World;

/// The app's client id at Provost.
pub(in crate::demo) const CLIENT_ID: &str = "sample-app";
/// Clock tolerance; everything runs on one machine.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// The app as a client.
pub(in crate::demo) struct Client {
    issuer: String,
    redirect_uri: String,
    after_logout: String,
    secret: Secret,
    outbound: Outbound,
}

/// A sign-in that waits for the answer.
pub(super) struct Pending {
    state: String,
    nonce: String,
    verifier: Secret,
}

impl Pending {
    /// Draws state, nonce and PKCE verifier.
    pub(super) fn new(world: &World) -> Result<Self> {
        Ok(Self {
            state: world.id("st_")?,
            nonce: world.id("no_")?,
            verifier: pkce::verifier(&world.bytes::<32>()?),
        })
    }
}

impl Client {
    /// Makes the client.
    pub(super) fn new(issuer: &str, base: &str, secret: &str) -> Result<Self> {
        Ok(Self {
            issuer: issuer.to_owned(),
            redirect_uri: format!("{base}/callback"),
            after_logout: format!("{base}/"),
            secret: Secret::new(secret),
            outbound: Outbound::new(true, None)?,
        })
    }

    /// Returns where to send the browser.
    pub(super) async fn start(&self, pending: &Pending, login_hint: Option<&str>) -> Result<Url> {
        let provider = self.provider().await?;
        let scopes = ["openid", "profile", "email"].map(str::to_owned);
        let request = AuthorizationRequest {
            client_id: CLIENT_ID,
            redirect_uri: &self.redirect_uri,
            scopes: &scopes,
            state: &pending.state,
            nonce: &pending.nonce,
            code_verifier: &pending.verifier,
            login_hint,
            domain_hint: None,
            prompt: None,
            max_age: None,
            acr_values: None,
            response_mode: ResponseMode::Query,
        };
        Ok(request.url(&provider.authorization_endpoint))
    }

    /// Checks the answer, redeems the code and verifies the ID token.
    pub(super) async fn finish(&self, pending: &Pending, query: &[u8], now: Timestamp) -> Result<SignedIn> {
        let provider = self.provider().await?;
        let expected = callback::Expected {
            state: &pending.state,
            issuer: &self.issuer,
            iss_required: provider.iss_parameter_supported,
        };
        let code = callback::check(&Params::parse(query), &expected)?;
        let authentication = ClientAuthentication::ClientSecretBasic(&self.secret);
        let request = TokenRequest::code(
            &provider.token_endpoint,
            CLIENT_ID,
            &authentication,
            &code,
            &self.redirect_uri,
            &pending.verifier,
        )?;
        let tokens = self.redeem(&request).await?;
        let token = tokens.required_id_token()?.expose();
        let expected = id_token::Expected {
            issuer: &self.issuer,
            client_id: CLIENT_ID,
            nonce: Nonce::Required(&pending.nonce),
            algorithms: &[Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa],
            max_age: None,
            clock_skew: SKEW,
            access_token: Some(tokens.access_token.expose()),
            code: None,
        };
        let verified = id_token::verify(token, &self.keys(&provider).await?, &expected, now)?;
        Ok(SignedIn {
            claims: verified.claims().as_map().clone(),
            id_token: token.to_owned(),
        })
    }

    /// Returns where to send the browser to sign out of Provost too.
    pub(super) async fn logout_url(&self, id_token: &str) -> Result<Url> {
        let provider = self.provider().await?;
        let request = logout::LogoutRequest {
            client_id: CLIENT_ID,
            id_token_hint: Some(id_token),
            post_logout_redirect_uri: Some(&self.after_logout),
            state: None,
        };
        Ok(request.url(&provider)?)
    }

    async fn provider(&self) -> Result<ProviderMetadata> {
        let url = discovery::well_known_url(&self.issuer, Transport::HttpLoopbackToo)?;
        let body = self.fetch(url.as_str()).await?;
        let expected = discovery::Expected {
            issuer: &self.issuer,
            tenant: None,
            transport: Transport::HttpLoopbackToo,
        };
        Ok(discovery::parse(&body, &expected)?)
    }

    async fn keys(&self, provider: &ProviderMetadata) -> Result<JwkSet> {
        Ok(JwkSet::parse(&self.fetch(provider.jwks_uri.as_str()).await?)?)
    }

    async fn fetch(&self, url: &str) -> Result<Vec<u8>> {
        let answer = self.outbound.get(url, HeaderMap::new()).await?;
        if !answer.is_success() {
            bail!("{url} answered {}", answer.status);
        }
        Ok(answer.body)
    }

    async fn redeem(&self, request: &TokenRequest) -> Result<TokenResponse> {
        let mut headers = HeaderMap::new();
        if let Some(authorization) = &request.authorization {
            headers.insert(
                AUTHORIZATION,
                authorization.expose().parse().context("authorization header")?,
            );
        }
        let fields: Vec<(String, String)> = request
            .form
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.expose().to_owned()))
            .collect();
        let answer = self
            .outbound
            .post_form(request.url.as_str(), headers, &fields)
            .await?;
        Ok(TokenResponse::parse(answer.status, &answer.body)?)
    }
}
