//! Every URL in one file.

use axum::Router;
use axum::routing::get;

use crate::app::App;
use crate::error;
use crate::http::{layers, ops};

/// Builds the routes with all layers around them.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        // Operation
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(ops::metrics))
        .route("/assets/{*name}", get(ops::asset))
        // Person (sign-in experience): added by the sign-in routes below.
        // OpenID provider for the app: added by the provider routes below.
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed);
    layers::wrap(routes, &app).with_state(app)
}
