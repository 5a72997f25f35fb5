//! Opens what commands work on: the data key, the store, the application.

use anyhow::{Context as _, bail};
use provost_store::{DataKeys, Store, StoreConfig, StoreError};
use secrecy::ExposeSecret as _;

use crate::app::App;
use crate::config::{Config, Synchronous, data_key};
use crate::flow::defaults;
use crate::world::World;

/// Opens the store; makes folder, data key and database of the embedded engine if they are absent.
///
/// # Errors
/// When the data key is absent or wrong, or the database cannot be opened.
pub async fn open_store(config: &Config, world: &World) -> anyhow::Result<Store> {
    if !config.is_postgres() {
        data_key::create_private_folder(&config.data_dir)
            .with_context(|| format!("the data folder {} cannot be made", config.data_dir.display()))?;
    }
    let mut keys = data_key::load_or_create(config, world)?.into_iter();
    let current = keys.next().context("no data key")?;
    let store_config = StoreConfig {
        url: config.database_url.expose_secret().to_owned(),
        data_keys: DataKeys {
            current,
            previous: keys.collect(),
        },
        connections: config.database_connections,
        synchronous: match config.sqlite_synchronous {
            Synchronous::Full => provost_store::Synchronous::Full,
            Synchronous::Normal => provost_store::Synchronous::Normal,
        },
    };
    let opened = Store::open(&store_config).await;
    if matches!(opened, Err(StoreError::Sealed(_))) {
        bail!("the data key does not fit this database, which was first opened with another one");
    }
    opened.context("the database cannot be opened")
}

/// Opens the whole application.
///
/// # Errors
/// As [`open_store`], or when the HTTP client cannot be made.
pub async fn open_app(config: Config) -> anyhow::Result<App> {
    let world = World::new();
    let store = open_store(&config, &world).await?;
    let app = App::new(config, store, world)?;
    defaults::read(&app)
        .await
        .context("the defaults of the instance cannot be read")?;
    Ok(app)
}
