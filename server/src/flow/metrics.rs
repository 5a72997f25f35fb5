//! Measurements: who may read them, and their rendering. The recorder is one per process.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use provost_store::{JobBacklog, StoreError};
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;

use crate::app::App;

/// Upper bounds of the latency histogram in seconds.
const BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the recorder; later calls do nothing.
pub fn install() {
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
            .ok()?;
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).ok()?;
        describe();
        Some(handle)
    });
}

/// Tells whether a caller may read the measurements: with the token; or, where none is configured, directly from this
/// machine while the whole installation lives on it. Behind a proxy everyone would look like a local caller.
pub fn may_read(app: &App, bearer: Option<&str>, is_direct_from_loopback: bool) -> bool {
    match &app.config.metrics_token {
        Some(token) => {
            bearer.is_some_and(|given| bool::from(given.as_bytes().ct_eq(token.expose_secret().as_bytes())))
        }
        None => {
            is_direct_from_loopback
                && app.config.listen.ip().is_loopback()
                && app.config.is_public_url_local()
        }
    }
}

/// Renders all measurements. Gauges are measured now; those of the database are left as they were if it does not answer.
pub async fn render(app: &App) -> String {
    let (open, idle) = app.store.connections();
    metrics::gauge!("provost_database_connections", "state" => "open").set(f64::from(open));
    metrics::gauge!("provost_database_connections", "state" => "idle").set(as_float(idle));
    let now = app.world.now();
    let measured: Result<(JobBacklog, i64), StoreError> = app
        .store
        .read(|reader| {
            Box::pin(async move { Ok((reader.job_backlog(now).await?, reader.last_event().await?)) })
        })
        .await;
    if let Ok((backlog, last_event)) = measured {
        let lag = backlog
            .oldest
            .map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
        metrics::gauge!("provost_jobs_waiting").set(f64::from(backlog.due));
        metrics::gauge!("provost_jobs_lag_seconds").set(lag);
        metrics::gauge!("provost_jobs_given_up").set(f64::from(backlog.dead));
        metrics::gauge!("provost_events_last").set(as_float(usize::try_from(last_event).unwrap_or_default()));
    }
    HANDLE
        .get()
        .and_then(Option::as_ref)
        .map(PrometheusHandle::render)
        .unwrap_or_default()
}

/// Turns a count into what gauges hold; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts never come near 2^53")]
const fn as_float(count: usize) -> f64 {
    count as f64
}

fn describe() {
    metrics::describe_counter!(
        "provost_http_requests_total",
        "Requests by method, route and status."
    );
    metrics::describe_histogram!("provost_http_request_seconds", "Time to answer, by route.");
    metrics::describe_counter!("provost_sign_ins_total", "Sign-ins by outcome and code.");
    metrics::describe_counter!("provost_jobs_total", "Jobs run, by kind and outcome.");
    metrics::describe_counter!(
        "provost_applications_unreadable_total",
        "Apps to be told of an ended session whose registration cannot be used."
    );
    metrics::describe_gauge!("provost_jobs_waiting", "Jobs due or running, on all nodes.");
    metrics::describe_gauge!(
        "provost_jobs_lag_seconds",
        "How long the oldest waiting job has been due, logout calls to apps included."
    );
    metrics::describe_gauge!("provost_jobs_given_up", "Jobs that failed too often.");
    metrics::describe_gauge!(
        "provost_events_last",
        "Position of the newest event of the feed; a consumer's cursor behind it is its lag."
    );
    metrics::describe_gauge!("provost_database_connections", "Pooled connections by state.");
    metrics::describe_gauge!("provost_build_info", "Always 1; the version is in the label.");
    metrics::gauge!("provost_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}
