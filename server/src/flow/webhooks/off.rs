//! Switches webhooks off that cannot be called any more, and tells the owners of the organization.

use provost_store::{StoreError, Webhook};
use serde_json::json;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::alerts::{Alarm, Alerts, when};
use crate::flow::mail::Kind;

/// Why a webhook is switched off by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The receiver answered that it is gone.
    Gone,
    /// Nothing arrived for days.
    Unreachable,
}

impl Reason {
    const fn text(self) -> &'static str {
        match self {
            Self::Gone => "answered 410 (Gone)",
            Self::Unreachable => "nothing arrived for three days",
        }
    }
}

/// Switches a webhook off, with an event and mail to the owners of its organization. Operators hear of those of the instance by
/// the metric and the log.
///
/// # Errors
/// Those of the store.
pub(super) async fn switch_off(app: &App, webhook: &Webhook, reason: Reason) -> Result<()> {
    let (alerts, now) = (Alerts::of(app), app.world.now());
    let told = webhook.clone();
    let is_off: std::result::Result<bool, StoreError> = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                if !tx
                    .switch_webhook(&told.id, false, Some(reason.text()), now)
                    .await?
                {
                    return Ok(false);
                }
                let data = json!({ "reason": reason.text(), "failing_since": told.failing_since });
                tx.record(super::event(
                    "webhook.disabled",
                    &told,
                    "system".to_owned(),
                    data,
                    now,
                ));
                if let Some(organization) = &told.organization {
                    let alarm = Alarm {
                        kind: Kind::WebhookDisabled,
                        seed: format!("webhook_disabled_{}_{}", told.id, now.as_second()),
                        about: None,
                        values: vec![("host", super::host_of(&told.url)), ("when", when(now))],
                        page: format!("/developers/webhooks/{}", told.id),
                    };
                    alerts.tell_owners_in_tx(tx, organization, &alarm, now).await?;
                }
                Ok(true)
            })
        })
        .await;
    if is_off.map_err(AppError::from)? {
        app.ring_mail();
        metrics::counter!("provost_webhooks_disabled_total").increment(1);
        tracing::warn!(
            webhook = webhook.id,
            reason = reason.text(),
            "a webhook was switched off"
        );
    }
    Ok(())
}
