//! The console: pages for the admins of an organization and for operators. Handlers read a request, call `flow/` and show
//! a page; rights are proved by the extractors of [`visit`], forms by [`sent`], so that no handler can forget either.
//! Never touches the store.

use crate::route::{And as _, get, post};
use axum::Router;
use axum::extract::DefaultBodyLimit;

use crate::app::App;

pub mod activity;
pub mod activity_live;
pub mod adding;
pub mod bulk;
mod chart;
pub mod configuration;
pub mod connection_scim;
pub mod connection_tabs;
pub mod connection_values;
pub mod connections;
pub mod developers;
pub mod directory;
pub mod domains;
pub mod drift;
pub mod format;
pub mod granting;
pub mod groups;
pub mod home;
pub mod importing;
pub mod invitations;
mod licenses;
pub mod local_groups;
pub mod moving;
pub mod moving_run;
pub mod operator;
pub mod operator_apps;
pub mod operator_health;
pub mod operator_mails;
pub mod operator_organization;
pub mod organizations;
pub mod overriding;
pub mod page;
pub mod person;
pub mod policy;
mod policy_examples;
pub mod policy_form;
pub mod reasons;
pub mod security;
pub mod sent;
pub mod setup;
pub mod shell;
mod streams;
pub mod told;
pub mod trace;
pub mod users;
pub mod views;
pub mod visit;
pub mod webhook;
pub mod webhooks;
pub mod words;

/// The addresses of the console.
pub fn routes() -> Router<App> {
    instance().merge(people()).merge(happened()).merge(organization())
}

/// Pages of operators.
fn instance() -> Router<App> {
    Router::new()
        .route("/console/components", get(operator::components))
        .route("/console/operator", get(operator::overview))
        .route("/console/operator/connections", get(operator::connections))
        .route("/console/operator/jobs", get(operator::jobs))
        .route(
            "/console/operator/health",
            get(operator_health::show).and_post(operator_health::save),
        )
        .route("/console/operator/configuration", get(configuration::of_instance))
        .route("/console/operator/mails", get(operator_mails::list))
        .route(
            "/console/operator/applications",
            get(operator_apps::list).and_post(operator_apps::act),
        )
        .route(
            "/console/operator/organizations/{organization}",
            get(operator_organization::show).and_post(operator_organization::save),
        )
        .route("/console/operator/activity", get(operator::activity))
}

/// Pages of the people of an organization and of their addresses.
fn people() -> Router<App> {
    Router::new()
        .route("/console/{organization}/users", get(users::list))
        .route(
            "/console/{organization}/users/add",
            get(adding::show).and_post(adding::submit),
        )
        .route(
            "/console/{organization}/users/import",
            get(importing::show)
                .and_post(importing::submit)
                .layer(DefaultBodyLimit::max(importing::LARGEST)),
        )
        .route(
            "/console/{organization}/users/imports/{import}",
            get(importing::result),
        )
        .route(
            "/console/{organization}/invitations",
            get(invitations::list).and_post(invitations::act),
        )
        .route("/console/{organization}/conversions", get(moving::list))
        .route(
            "/console/{organization}/conversions/new",
            get(moving::new).and_post(moving::submit),
        )
        .route(
            "/console/{organization}/conversions/{run}",
            get(moving_run::show).and_post(moving_run::act),
        )
        .route(
            "/console/{organization}/conversions/{run}/progress",
            get(moving_run::follow),
        )
        .route(
            "/console/{organization}/domains",
            get(domains::list).and_post(domains::claim),
        )
        .route(
            "/console/{organization}/domains/{domain}",
            get(domains::show).and_post(domains::act),
        )
        .route("/console/{organization}/users/views", post(views::act))
        .route(
            "/console/{organization}/users/runs/{run}",
            get(bulk::show).and_post(bulk::again),
        )
        .route("/console/{organization}/users/drift", get(drift::list))
        .route("/console/{organization}/users/bulk", post(users::bulk))
        .route("/console/{organization}/users/{account}", get(person::show))
        .route(
            "/console/{organization}/users/{account}/overrides",
            get(overriding::show).and_post(overriding::save),
        )
        .route(
            "/console/{organization}/users/{account}/access",
            get(granting::show).and_post(granting::save),
        )
        .route(
            "/console/{organization}/users/{account}/{action}",
            post(person::act),
        )
}

/// What happened, and why.
fn happened() -> Router<App> {
    Router::new()
        .route("/console/{organization}/activity", get(activity::list))
        .route("/console/{organization}/activity/file", get(activity::file))
        .route(
            "/console/{organization}/activity/live",
            get(activity_live::follow),
        )
        .route(
            "/console/{organization}/connections/{connection}/activity",
            get(activity::of_connection),
        )
        .route("/console/{organization}/traces", get(trace::look_up))
        .route("/console/{organization}/traces/{trace}", get(trace::show))
}

/// The front page, and the other pages of an organization.
fn organization() -> Router<App> {
    Router::new()
        .route("/console", get(organizations::list))
        .route("/console/look", post(organizations::set_look))
        .route("/console/{organization}", get(home::show))
        .merge(setup::routes())
        .route("/console/{organization}/connections", get(connections::list))
        .route(
            "/console/{organization}/connections/{connection}",
            get(connections::overview),
        )
        .route(
            "/console/{organization}/connections/{connection}/values",
            get(connection_values::show),
        )
        .route(
            "/console/{organization}/connections/{connection}/values/edit",
            get(connection_values::edit).and_post(connection_values::act),
        )
        .route(
            "/console/{organization}/connections/{connection}/values/test",
            post(connection_values::test),
        )
        .route(
            "/console/{organization}/connections/{connection}/scim",
            get(connection_scim::show).and_post(connection_scim::act),
        )
        .route(
            "/console/{organization}/connections/{connection}/claims",
            get(connection_tabs::claims).and_post(connection_tabs::save_claims),
        )
        .route(
            "/console/{organization}/connections/{connection}/claims/try",
            post(connection_tabs::try_claims),
        )
        .route(
            "/console/{organization}/connections/{connection}/provisioning",
            get(connection_tabs::provisioning).and_post(connection_tabs::save_provisioning),
        )
        .route(
            "/console/{organization}/connections/{connection}/more",
            get(connection_tabs::more).and_post(connection_tabs::save_more),
        )
        .route(
            "/console/{organization}/connections/{connection}/policies",
            get(policy::show).and_post(policy::save),
        )
        .route(
            "/console/{organization}/connections/{connection}/policies/try",
            post(policy::try_out),
        )
        .route("/console/{organization}/groups", get(groups::list))
        .route(
            "/console/{organization}/groups/new",
            get(local_groups::new).and_post(local_groups::create),
        )
        .route(
            "/console/{organization}/groups/{group}",
            get(local_groups::show).and_post(local_groups::act),
        )
        .route(
            "/console/{organization}/groups/{connection}/{group}",
            get(groups::show),
        )
        .route("/console/{organization}/access", get(directory::access))
        .route("/console/{organization}/licenses", get(directory::licenses))
        .merge(for_developers())
        .route(
            "/console/{organization}/sign-in",
            get(security::show).and_post(security::act),
        )
}

/// Pages for developers of an organization.
fn for_developers() -> Router<App> {
    Router::new()
        .route(
            "/console/{organization}/developers",
            get(developers::show).and_post(developers::act),
        )
        .route(
            "/console/{organization}/developers/configuration",
            get(configuration::show),
        )
        .route(
            "/console/{organization}/developers/configuration/file",
            get(configuration::of_organization),
        )
        .route(
            "/console/{organization}/developers/webhooks",
            get(webhooks::list).and_post(webhooks::add),
        )
        .route(
            "/console/{organization}/developers/webhooks/{webhook}",
            get(webhook::show).and_post(webhook::act),
        )
        .route(
            "/console/{organization}/developers/webhooks/{webhook}/deliveries/{delivery}",
            get(webhook::delivery).and_post(webhook::again),
        )
        .route(
            "/console/{organization}/developers/events",
            get(webhooks::catalogue),
        )
}
