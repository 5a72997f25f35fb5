//! Every URL in one file.

use crate::route::{And as _, any, get, post};
use axum::Router;

use crate::api;
use crate::app::App;
use crate::console;
use crate::error;
use crate::http::{
    account, account_choice, confirm, forgot, invite, layers, login, openid, ops, passkey, scim,
    second_factor, sso,
};

/// Builds the routes with all layers around them.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        // Operation
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(ops::metrics))
        .route("/assets/{*name}", get(ops::asset))
        .merge(person())
        // Identity providers
        .route("/sso/{connection}/login", get(sso::start))
        .route("/sso/{connection}/saml/metadata", get(sso::saml_metadata))
        .route("/sso/{connection}/saml/acs", post(sso::saml_acs))
        .route(
            "/sso/{connection}/saml/slo",
            get(sso::saml_slo_redirect).and_post(sso::saml_slo_post),
        )
        .route(
            "/sso/{connection}/oidc/callback",
            get(sso::oidc_callback).and_post(sso::oidc_callback_post),
        )
        .route("/sso/{connection}/oidc/logged-out", get(sso::oidc_logged_out))
        .route(
            "/sso/{connection}/oidc/backchannel-logout",
            post(sso::oidc_backchannel_logout),
        )
        // OpenID provider for the app
        .route(
            "/.well-known/openid-configuration",
            get(openid::discovery).and_options(openid::preflight),
        )
        .route(
            "/.well-known/oauth-authorization-server",
            get(openid::metadata).and_options(openid::preflight),
        )
        .route(
            "/oauth2/authorize",
            get(openid::authorize_get).and_post(openid::authorize_post),
        )
        .route("/oauth2/authorize/continue/{id}", get(openid::authorize_continue))
        .route(
            "/oauth2/token",
            post(openid::token).and_options(openid::preflight),
        )
        .route(
            "/oauth2/userinfo",
            get(openid::userinfo)
                .and_post(openid::userinfo)
                .and_options(openid::preflight),
        )
        .route("/oauth2/jwks", get(openid::jwks).and_options(openid::preflight))
        .route("/oauth2/introspect", post(openid::introspect))
        .route(
            "/oauth2/revoke",
            post(openid::revoke).and_options(openid::preflight),
        )
        .route(
            "/oauth2/logout",
            get(openid::logout_get).and_post(openid::logout_post),
        )
        // Console: one table in console/
        .merge(console::routes())
        // Management API: one table in api/, as every endpoint also stands in the OpenAPI document
        .merge(api::routes(&app))
        // Directories: `/scim/{connection}/v2/…`, `…/v1/…` (see `flow::scim::target`) and `…/oauth2/token`. One pattern,
        // because whatever is wrong below it is answered in the protocol's own shape, slashes too many included.
        .route("/scim", any(scim::serve))
        .route("/scim/", any(scim::serve))
        .route("/scim/{*path}", any(scim::serve))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed);
    layers::wrap(routes, &app).with_state(app)
}

/// What people open themselves.
fn person() -> Router<App> {
    Router::new()
        .route("/", get(login::front))
        .route("/login", get(login::show).and_post(login::submit))
        .route(
            "/login/password",
            get(login::show_password).and_post(login::submit_password),
        )
        .route("/login/forgot", get(forgot::show).and_post(forgot::submit))
        .route(
            "/login/second",
            get(second_factor::show).and_post(second_factor::submit),
        )
        .route(
            "/login/account",
            get(account_choice::show).and_post(account_choice::submit),
        )
        .route("/login/second/passkey", post(passkey::submit_second))
        .route("/login/passkey", get(passkey::show).and_post(passkey::submit))
        .route("/invite/{token}", get(invite::show).and_post(invite::accept))
        .route("/login/{organization}", get(login::organization))
        .route("/logout", get(account::ask_logout).and_post(account::logout))
        .route("/account", get(account::show))
        .route("/account/confirm", get(confirm::start))
        .route("/account/sessions/{session}/revoke", post(account::end_session))
        .route("/account/security", get(second_factor::security))
        .route(
            "/account/security/totp",
            get(second_factor::show_totp).and_post(second_factor::add_totp),
        )
        .route(
            "/account/security/factors/{factor}/remove",
            post(second_factor::remove),
        )
        .route(
            "/account/security/passkeys",
            get(passkey::show_new).and_post(passkey::make),
        )
        .route(
            "/account/security/recovery-codes",
            post(second_factor::make_recovery_codes),
        )
        .route(
            "/password/{token}",
            get(account::show_new_password).and_post(account::set_new_password),
        )
}
