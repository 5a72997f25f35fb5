//! The management API under `/api/v1`.
//!
//! Every endpoint is one row of a table ([`Endpoint`]): the router, the guard (key, scope, rate limit), the OpenAPI
//! document and the tests of tenant bounds are all made from it, so none can say something else than another.
//! Handlers read a request, call `flow/` and write an answer; they never decide and never reach the store.

mod answer;
mod authorize;
mod changes;
mod directory;
mod docs;
mod endpoint;
mod events;
mod mails;
mod openapi;
mod overrides;
mod page;
mod policies;
mod preview;
mod traces;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::app::App;

pub use changes::ChangeView;
pub use endpoint::{Answer, Endpoint, SchemaOf, Verb};
pub use openapi::document;
pub use preview::PreviewLine;
pub use traces::TraceView;

/// Every endpoint, in the order of the documentation.
pub fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    [
        directory::ENDPOINTS,
        overrides::ENDPOINTS,
        policies::ENDPOINTS,
        changes::ENDPOINTS,
        traces::ENDPOINTS,
        events::ENDPOINTS,
        mails::ENDPOINTS,
    ]
    .into_iter()
    .flatten()
}

/// Builds the routes of the API.
pub fn routes(app: &App) -> Router<App> {
    let described = Router::new()
        .route("/api/openapi.json", get(openapi::show))
        .route("/api/docs", get(docs::show));
    endpoints().fold(described, |routes, endpoint| {
        let guard = from_fn_with_state((app.clone(), endpoint.scope), authorize::authorize);
        routes.route(endpoint.path, (endpoint.handler)().route_layer(guard))
    })
}
