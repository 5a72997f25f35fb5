//! `provost serve`: opens the database, listens, runs the jobs, and stops in good order.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use clap::Args;

use crate::app::App;
use crate::cli::{Settings, open_app};
use crate::config::{Config, LogFormat};
use crate::flow;
use crate::jobs::Runner;
use crate::router::router;

/// How long a new connection may take to say what it wants; idle connections must not pile up.
const FIRST_REQUEST: Duration = Duration::from_secs(15);

/// Run the server.
#[derive(Args, Clone, Debug)]
pub struct Serve {
    #[command(flatten)]
    settings: Settings,
}

impl Serve {
    /// Serves until the process is told to stop.
    ///
    /// # Errors
    /// When the configuration is wrong, the database cannot be opened or the address is taken.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.settings.load()?;
        install_logs(&config);
        flow::metrics::install();
        let app = open_app(config).await?;
        let server = Server::bind(&app).await?;
        tracing::info!(
            address = %server.address,
            public_url = %app.config.public_url,
            database = app.store.engine_name(),
            tls = app.config.tls.is_some(),
            version = env!("CARGO_PKG_VERSION"),
            "provost is ready"
        );
        server.run(app, stop_signal()).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A bound server that does not answer yet.
pub struct Server {
    /// The address that was bound.
    pub address: SocketAddr,
    listener: std::net::TcpListener,
    tls: Option<RustlsConfig>,
}

impl Server {
    /// Binds the configured address and reads the certificates.
    ///
    /// # Errors
    /// When the address is taken or the certificates cannot be used.
    pub async fn bind(app: &App) -> anyhow::Result<Self> {
        let config = &app.config;
        let listener = std::net::TcpListener::bind(config.listen)
            .with_context(|| format!("{} cannot be listened on", config.listen))?;
        let tls = match &config.tls {
            None => None,
            Some(files) => {
                crate::outbound::install_crypto_provider();
                let tls = RustlsConfig::from_pem_file(&files.certificate, &files.key)
                    .await
                    .with_context(|| {
                        format!(
                            "{} and {} cannot be used",
                            files.certificate.display(),
                            files.key.display()
                        )
                    })?;
                Some(tls)
            }
        };
        Ok(Self {
            tls,
            ..Self::from_listener(listener)?
        })
    }

    /// Takes a listener that is bound already, without TLS.
    ///
    /// # Errors
    /// When the listener cannot be asked for its address.
    pub fn from_listener(listener: std::net::TcpListener) -> anyhow::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            tls: None,
        })
    }

    /// Answers until `stop` is done, then stops accepting, lets running requests and jobs end, and closes the store.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self, app: App, stop: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
        let routes = router(app.clone());
        self.run_routes(app, routes, stop).await
    }

    /// As [`Self::run`], with these routes; the demo adds its sandbox.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run_routes(
        self,
        app: App,
        routes: axum::Router,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let handle: Handle<SocketAddr> = Handle::new();
        let grace = Duration::from_secs(app.config.shutdown_seconds);
        let stopping = handle.clone();
        let (stop_jobs, jobs_stop) = tokio::sync::watch::channel(false);
        let jobs = Runner::start(app.clone(), jobs_stop);
        tokio::spawn(async move {
            stop.await;
            tracing::info!("stopping: no new connections, running requests and jobs may finish");
            // An error only says that the runner has ended already.
            let _ = stop_jobs.send(true);
            stopping.graceful_shutdown(Some(grace));
        });
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        let served = match self.tls {
            Some(tls) => {
                if let Some(files) = app.config.tls.clone() {
                    tokio::spawn(reload_certificates(tls.clone(), files));
                }
                patient(axum_server::from_tcp_rustls(self.listener, tls)?)
                    .handle(handle)
                    .serve(service)
                    .await
            }
            None => {
                patient(axum_server::from_tcp(self.listener)?)
                    .handle(handle)
                    .serve(service)
                    .await
            }
        };
        served.context("the listener failed")?;
        if tokio::time::timeout(grace, jobs).await.is_err() {
            tracing::warn!("jobs did not end in time; their leases end by themselves");
        }
        app.store.close().await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// How long a client may take for the head of a request, the pause before it included. Longer than proxies keep idle
/// connections, so that they close first.
const HEAD_LIMIT: Duration = Duration::from_secs(75);

/// Sets how patient the server is with clients. Without limits, connections that say nothing or one letter a minute use
/// up all file descriptors (Slowloris).
fn patient<A: axum_server::Address, B>(mut server: axum_server::Server<A, B>) -> axum_server::Server<A, B> {
    let builder = server.http_builder();
    builder.http1().header_read_timeout(HEAD_LIMIT);
    builder
        .http2()
        .keep_alive_interval(HEAD_LIMIT)
        .keep_alive_timeout(FIRST_REQUEST)
        .max_concurrent_streams(100);
    server.first_request_timeout(FIRST_REQUEST)
}

/// Ends when the process gets SIGTERM or an interrupt from the keyboard.
pub async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} }
            return;
        }
    }
    let _ = interrupt.await;
}

/// Reads the certificate files again at SIGHUP, so that a renewal needs no restart.
async fn reload_certificates(tls: RustlsConfig, files: crate::config::TlsFiles) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut hangup) = signal(SignalKind::hangup()) else {
            return;
        };
        while hangup.recv().await.is_some() {
            match tls.reload_from_pem_file(&files.certificate, &files.key).await {
                Ok(()) => tracing::info!("certificates were read again"),
                Err(error) => {
                    tracing::error!(%error, "certificates could not be read again; the old ones stay");
                }
            }
        }
    }
    #[cfg(not(unix))]
    let _ = (tls, files);
}

/// Starts logging on standard error; a second call (in tests) changes nothing.
pub fn install_logs(config: &Config) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_new(&config.log_level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let _ = match config.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
