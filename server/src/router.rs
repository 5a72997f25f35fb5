//! Every URL in one file.

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;
use crate::error;
use crate::http::{account, layers, login, ops, sso};

/// Builds the routes with all layers around them.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        // Operation
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(ops::metrics))
        .route("/assets/{*name}", get(ops::asset))
        // Person
        .route("/login", get(login::show).post(login::submit))
        .route(
            "/login/password",
            get(login::show_password).post(login::submit_password),
        )
        .route("/login/{organization}", get(login::organization))
        .route("/logout", get(account::ask_logout).post(account::logout))
        .route("/account", get(account::show))
        .route("/account/sessions/{session}/revoke", post(account::end_session))
        .route(
            "/password/{token}",
            get(account::show_new_password).post(account::set_new_password),
        )
        // Identity providers
        .route("/sso/{connection}/login", get(sso::start))
        .route("/sso/{connection}/saml/metadata", get(sso::saml_metadata))
        .route("/sso/{connection}/saml/acs", post(sso::saml_acs))
        .route(
            "/sso/{connection}/saml/slo",
            get(sso::saml_slo_redirect).post(sso::saml_slo_post),
        )
        .route(
            "/sso/{connection}/oidc/callback",
            get(sso::oidc_callback).post(sso::oidc_callback_post),
        )
        .route("/sso/{connection}/oidc/logged-out", get(sso::oidc_logged_out))
        .route(
            "/sso/{connection}/oidc/backchannel-logout",
            post(sso::oidc_backchannel_logout),
        )
        // OpenID provider for the app: added by the provider routes below.
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed);
    layers::wrap(routes, &app).with_state(app)
}
