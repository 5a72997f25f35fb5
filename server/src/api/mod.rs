//! The management API under `/api/v1`.
//!
//! Every endpoint is one row of a table ([`Endpoint`]): the router, the guard (key, scope, rate limit), the OpenAPI
//! document and the tests of tenant bounds are all made from it, so none can say something else than another.
//! Handlers read a request, call `flow/` and write an answer; they never decide and never reach the store.

mod accounts;
mod answer;
mod audit;
mod authorize;
mod changes;
mod conditional;
mod configuration;
mod conversions;
mod defaults;
mod directory;
mod docs;
mod domains;
mod endpoint;
mod enforcement;
mod entitlements;
mod events;
mod groups;
mod idempotency;
mod imports;
mod invitations;
mod local_groups;
mod mails;
mod memberships;
mod openapi;
mod overrides;
mod page;
mod policies;
mod pools;
mod preview;
mod roles;
mod rows;
mod seats;
mod setup_links;
mod tokens;
mod traces;
mod webhooks;

use crate::route::get;
use axum::Router;
use axum::middleware::from_fn_with_state;

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
        accounts::ENDPOINTS,
        memberships::ENDPOINTS,
        groups::ENDPOINTS,
        local_groups::ENDPOINTS,
        imports::ENDPOINTS,
        overrides::ENDPOINTS,
        policies::ENDPOINTS,
        changes::ENDPOINTS,
        roles::ENDPOINTS,
        pools::ENDPOINTS,
        seats::ENDPOINTS,
        entitlements::ENDPOINTS,
        traces::ENDPOINTS,
        configuration::ENDPOINTS,
        defaults::ENDPOINTS,
        tokens::ENDPOINTS,
        setup_links::ENDPOINTS,
        events::ENDPOINTS,
        webhooks::ENDPOINTS,
        mails::ENDPOINTS,
        domains::ENDPOINTS,
        enforcement::ENDPOINTS,
        audit::ENDPOINTS,
        invitations::ENDPOINTS,
        conversions::ENDPOINTS,
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
        let handler = (endpoint.handler)();
        let handler = match endpoint.verb {
            Verb::Post => {
                let state = (app.clone(), endpoint.largest_body());
                handler.route_layer(from_fn_with_state(state, idempotency::once))
            }
            Verb::Get | Verb::Put | Verb::Patch | Verb::Delete => handler,
        };
        // The layer that is added last is the first to see a request.
        routes.route(endpoint.path, handler.route_layer(guard))
    })
}
