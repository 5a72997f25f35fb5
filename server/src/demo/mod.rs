//! `provost demo`: the whole product on throw-away data, with sandbox identity providers, a directory and a sample app.
//!
//! Never part of `provost serve`: anybody may sign in as anybody here. Everything it makes is gone when it ends.

mod browser;
mod data;
mod html;
mod people;
mod push;
mod sample_app;
mod sandbox;
mod story;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use clap::Args;
use provost_kernel::explain;
use provost_kernel::id::AccountId;
use provost_kernel::trace::{self, Trace};
use provost_store::{StoreError, TraceFilter};

use crate::app::App;
use crate::cli::serve::{Server, install_logs};
use crate::cli::{open_app, stop_signal};
use crate::config::{Config, Sources};
use crate::declarative;
use crate::flow;
use crate::router::router;
use crate::world::World;
use sample_app::SampleApp;
use sandbox::Sandbox;
use story::{Scene, Told};

/// Try everything on throw-away data.
#[derive(Args, Clone, Debug)]
pub struct Demo {
    /// Perform a SAML sign-in, an OpenID Connect sign-in, a SCIM push and an explanation over real HTTP, tell the story, and end.
    #[arg(long)]
    once: bool,
    /// Port of Provost on 127.0.0.1; 0 takes any free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Port of the sample app on 127.0.0.1; 0 takes any free one.
    #[arg(long, default_value_t = 8090)]
    app_port: u16,
}

/// The demo's folder, removed when the demo ends.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing else can be done about a folder that does not go away.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running demo.
struct Stage {
    app: App,
    provost: String,
    sample: String,
    directory: push::Directory,
}

impl Demo {
    /// Runs the demo until it is told to stop, or once.
    ///
    /// # Errors
    /// When a port is taken, or at any surprise in the story.
    pub async fn run(self) -> Result<ExitCode> {
        let world = World::new();
        let folder = Folder(std::env::temp_dir().join(format!("provost-demo-{}", world.id("")?)));
        // A story told once needs no known ports, and must not collide with a server that is running.
        let (port, app_port) = if self.once {
            (0, 0)
        } else {
            (self.port, self.app_port)
        };
        let provost = listen(port, "--port")?;
        let sample = listen(app_port, "--app-port")?;
        let config = config(&folder.0, provost.local_addr()?)?;
        install_logs(&config);
        flow::metrics::install();
        let stage = open(config, &world, provost, sample).await?;
        if self.once {
            tell(&stage).await
        } else {
            keep_open(&stage).await
        }
    }
}

fn listen(port: u16, flag: &str) -> Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address)
        .with_context(|| format!("{address} cannot be listened on; choose another port with {flag}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn config(folder: &Path, address: SocketAddr) -> Result<Config> {
    let folder = folder
        .to_str()
        .context("the folder for temporary files has a name that is not Unicode")?;
    let listen = address.to_string();
    let public_url = format!("http://{address}");
    let sources = Sources::from_flags([
        ("listen", listen.as_str()),
        ("public_url", public_url.as_str()),
        ("data_dir", folder),
        ("allow_private_addresses", "true"),
        ("log_level", "warn"),
    ]);
    Ok(Config::load(&sources)?)
}

/// Fills the throw-away database and starts both servers.
async fn open(config: Config, world: &World, provost: TcpListener, sample: TcpListener) -> Result<Stage> {
    let sample_url = format!("http://{}", sample.local_addr()?);
    let app = open_app(config).await?;
    let sandbox = Arc::new(Sandbox::new(&app.config, world)?);
    let secret = world.id("secret_")?;
    let token = world.id("globex-directory-")?;
    let file = data::file(&sandbox, &sample_url, &secret, &token);
    let document = declarative::read(&file).context("the demo's own configuration")?;
    declarative::apply(&app, document, Path::new("."), declarative::Mode::Write)
        .await
        .context("the demo's own configuration")?;
    let client = Arc::new(SampleApp::new(&app.config.issuer(), &sample_url, &secret, world)?);
    serve_routes(sample, client.routes())?;
    let server = Server::from_listener(provost)?;
    let provost_url = app.config.issuer();
    let routes = router(app.clone()).merge(sandbox.routes());
    tokio::spawn(server.run_routes(app.clone(), routes, std::future::pending()));
    Ok(Stage {
        app,
        directory: push::Directory::new(&provost_url, &token)?,
        provost: provost_url,
        sample: sample_url,
    })
}

fn serve_routes(listener: TcpListener, routes: Router) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(())
}

async fn tell(stage: &Stage) -> Result<ExitCode> {
    let mut out = std::io::stdout();
    writeln!(
        out,
        "Provost demo: made-up companies, their identity providers and an app, over real HTTP.\n"
    )?;
    let mut scene = Scene {
        app: &stage.sample,
        out: &mut out,
    };
    let told = scene.tell().await?;
    explain_both(stage, &told, &mut out).await?;
    let mut scene = Scene {
        app: &stage.sample,
        out: &mut out,
    };
    push::tell(&mut scene, &stage.directory, 6).await?;
    writeln!(
        out,
        "\nEverything went as told. `provost demo` keeps it open for you to try."
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Tells why one person got her role and the other did not, from the traces that their sign-ins left.
async fn explain_both(stage: &Stage, told: &Told, out: &mut impl Write) -> Result<()> {
    let filter = TraceFilter {
        account: Some(AccountId::new(&told.admitted)),
        ..TraceFilter::default()
    };
    let store = &stage.app.store;
    let found: Result<_, StoreError> = store
        .read(|reader| Box::pin(async move { reader.traces(&filter, 10).await }))
        .await;
    let first = found?.pop().context("no trace is kept of Ann's sign-in")?;
    writeln!(
        out,
        "\n4. Why is Ann an admin? The trace of her first sign-in ({}) tells:",
        first.trace.id
    )?;
    for line in explain::lines(&first.trace) {
        writeln!(out, "  {line}")?;
    }
    let reference = &told.refusal;
    writeln!(
        out,
        "\n5. Why not Cleo? The admin looks the reference number up (provost explain {reference}):"
    )?;
    let refused = crate::flow::traces::by_reference(store, reference).await?;
    let refused = refused.with_context(|| format!("no trace is kept under {reference}"))?;
    for line in explain::lines(&refused.trace) {
        writeln!(out, "  {line}")?;
    }
    let roles = |told: &Trace| {
        told.steps
            .iter()
            .find(|step| step.stage == trace::Stage::Role)
            .map(|step| step.text.clone())
    };
    let (ann, cleo) = (roles(&first.trace), roles(&refused.trace));
    ensure!(
        ann.is_some() && cleo.is_some() && ann != cleo,
        "the traces do not tell the two apart"
    );
    writeln!(
        out,
        "\n  The same rule decided both: what differs is what the identity provider said of them."
    )?;
    Ok(())
}

async fn keep_open(stage: &Stage) -> Result<ExitCode> {
    let mut out = std::io::stdout();
    writeln!(
        out,
        "Provost demo: throw-away data, gone when you press Ctrl-C.\n"
    )?;
    writeln!(out, "  Sample app   {}   (start here: Sign in)", stage.sample)?;
    writeln!(out, "  Provost      {}/login", stage.provost)?;
    writeln!(
        out,
        "  Discovery    {}/.well-known/openid-configuration\n",
        stage.provost
    )?;
    writeln!(
        out,
        "  SCIM         {}   (a directory's token is made by `provost scim-token`)\n",
        stage.directory.base()
    )?;
    writeln!(
        out,
        "  Refused? `provost explain NUMBER --data-dir {}` tells why.\n",
        stage.app.config.data_dir.display()
    )?;
    for directory in [
        people::Directory::HomeLab,
        people::Directory::Acme,
        people::Directory::Globex,
    ] {
        writeln!(out, "  People of {}:", directory.company())?;
        for person in directory.people() {
            writeln!(out, "    {:<24} {}", person.email, person.about)?;
        }
    }
    stop_signal().await;
    Ok(ExitCode::SUCCESS)
}
