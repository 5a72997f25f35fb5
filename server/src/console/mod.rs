//! The console: pages for the admins of an organization and for operators. Handlers read a request, call `flow/` and show
//! a page; rights are proved by the extractors of [`visit`], forms by [`sent`], so that no handler can forget either.
//! Never touches the store.

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;

pub mod activity;
pub mod connection_scim;
pub mod connection_tabs;
pub mod connections;
pub mod directory;
pub mod format;
pub mod home;
pub mod operator;
pub mod organizations;
pub mod page;
pub mod person;
pub mod policy;
pub mod policy_form;
pub mod sent;
pub mod setup;
pub mod shell;
pub mod trace;
pub mod users;
pub mod visit;
pub mod words;

/// The addresses of the console.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/console", get(organizations::list))
        .route("/console/look", post(organizations::set_look))
        .route("/console/components", get(operator::components))
        .route("/console/operator", get(operator::overview))
        .route("/console/operator/connections", get(operator::connections))
        .route("/console/operator/jobs", get(operator::jobs))
        .route("/console/operator/activity", get(operator::activity))
        .route("/console/{organization}", get(home::show))
        .route("/console/{organization}/users", get(users::list))
        .route("/console/{organization}/users/bulk", post(users::bulk))
        .route("/console/{organization}/users/{account}", get(person::show))
        .route(
            "/console/{organization}/users/{account}/{action}",
            post(person::act),
        )
        .route("/console/{organization}/activity", get(activity::list))
        .route("/console/{organization}/traces", get(trace::look_up))
        .route("/console/{organization}/traces/{trace}", get(trace::show))
        .merge(setup::routes())
        .route("/console/{organization}/connections", get(connections::list))
        .route(
            "/console/{organization}/connections/{connection}",
            get(connections::overview),
        )
        .route(
            "/console/{organization}/connections/{connection}/values",
            get(connections::values),
        )
        .route(
            "/console/{organization}/connections/{connection}/scim",
            get(connection_scim::show).post(connection_scim::act),
        )
        .route(
            "/console/{organization}/connections/{connection}/claims",
            get(connection_tabs::claims).post(connection_tabs::save_claims),
        )
        .route(
            "/console/{organization}/connections/{connection}/claims/try",
            post(connection_tabs::try_claims),
        )
        .route(
            "/console/{organization}/connections/{connection}/provisioning",
            get(connection_tabs::provisioning).post(connection_tabs::save_provisioning),
        )
        .route(
            "/console/{organization}/connections/{connection}/more",
            get(connection_tabs::more).post(connection_tabs::save_more),
        )
        .route(
            "/console/{organization}/connections/{connection}/policies",
            get(policy::show).post(policy::save),
        )
        .route(
            "/console/{organization}/connections/{connection}/policies/try",
            post(policy::try_out),
        )
        .route("/console/{organization}/groups", get(directory::groups))
        .route("/console/{organization}/access", get(directory::access))
        .route("/console/{organization}/licenses", get(directory::licenses))
        .route("/console/{organization}/developers", get(directory::developers))
}
