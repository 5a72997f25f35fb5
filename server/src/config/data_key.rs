//! The data key: where it is read from, and its making at the first start with the embedded database.
//! Never shows a key and never overwrites a file.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::Config;
use crate::world::World;

/// A data key: 256 bits for AES-256-GCM.
pub type DataKey = Zeroizing<[u8; 32]>;

/// Why there is no usable data key.
#[derive(Debug, thiserror::Error)]
pub enum DataKeyError {
    /// The file cannot be read or written.
    #[error("data key file {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The content is not a key.
    #[error("{0}: a data key is 32 random bytes in base64, for example from `openssl rand -base64 32`")]
    Malformed(String),
    /// PostgreSQL needs the same key on every node, so none is made up.
    #[error("PostgreSQL needs a data key: set data_key_file or PROVOST_DATA_KEY, the same on every node")]
    Required,
    /// No random bytes.
    #[error(transparent)]
    NoRandomness(#[from] crate::world::NoRandomness),
}

/// Returns the data keys: the first encrypts, all decrypt. Makes one for the embedded database if there is none.
///
/// # Errors
/// Each [`DataKeyError`].
pub fn load_or_create(config: &Config, world: &World) -> Result<Vec<DataKey>, DataKeyError> {
    match load(config) {
        Ok(Some(keys)) => Ok(keys),
        Ok(None) if config.is_postgres() => Err(DataKeyError::Required),
        Ok(None) => create(&path(config), world).map(|key| vec![key]),
        Err(error) => Err(error),
    }
}

/// Returns the data keys if there are any.
///
/// # Errors
/// When the file cannot be read or holds no key.
pub fn load(config: &Config) -> Result<Option<Vec<DataKey>>, DataKeyError> {
    if let Some(keys) = &config.data_key {
        return parse(keys.expose_secret(), "data_key").map(Some);
    }
    let path = path(config);
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&Zeroizing::new(text), &path.display().to_string()).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && config.data_key_file.is_none() => {
            Ok(None)
        }
        Err(error) => Err(file_error(&path, &error)),
    }
}

/// Returns where the data key lies.
pub fn path(config: &Config) -> PathBuf {
    config
        .data_key_file
        .clone()
        .unwrap_or_else(|| config.data_dir.join("data.key"))
}

fn parse(text: &str, origin: &str) -> Result<Vec<DataKey>, DataKeyError> {
    let malformed = || DataKeyError::Malformed(origin.to_owned());
    let lines = text
        .split(['\n', ','])
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<DataKey> = lines
        .map(|line| {
            let bytes = Zeroizing::new(STANDARD.decode(line).map_err(|_| malformed())?);
            let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| malformed())?;
            Ok(Zeroizing::new(bytes))
        })
        .collect::<Result<_, DataKeyError>>()?;
    if keys.is_empty() {
        Err(malformed())
    } else {
        Ok(keys)
    }
}

fn create(path: &Path, world: &World) -> Result<DataKey, DataKeyError> {
    let key = Zeroizing::new(world.bytes::<32>()?);
    let text = Zeroizing::new(format!(
        "# Encrypts the secrets in Provost's database. Keep a copy apart from the backups.\n{}\n",
        STANDARD.encode(*key)
    ));
    let written = open_private(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| file_error(path, &error))?;
    Ok(key)
}

/// Creates a file that did not exist, readable by the owner only, in a folder likewise.
///
/// # Errors
/// Those of the file system.
pub fn open_private(path: &Path) -> std::io::Result<std::fs::File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_private_folder(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Creates a folder, readable by the owner only, unless it exists.
///
/// # Errors
/// Those of the file system.
pub fn create_private_folder(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn file_error(path: &Path, error: &std::io::Error) -> DataKeyError {
    DataKeyError::File {
        path: path.display().to_string(),
        reason: error.to_string(),
    }
}
