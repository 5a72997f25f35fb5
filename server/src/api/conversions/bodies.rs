//! What requests about runs say.

use provost_kernel::directory::AccountKind;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};
use provost_kernel::provision::ConversionMode;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::error::Result;
use crate::flow::conversions::{UNDO_DAYS, Wanted};
use crate::flow::invitations;

/// Who is to be moved, and how.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct ConversionBody {
    /// The connection that people sign in through from now on.
    connection: String,
    /// `additional` (the standard account stays beside it) or `in_place`; `additional` if absent.
    #[serde(default)]
    mode: ConversionMode,
    /// Kinds of accounts: `user`, `reader`, or both. Ticked one by one, none by itself.
    #[schemars(length(min = 1))]
    kinds: Vec<AccountKind>,
    /// These accounts only; absent takes all.
    #[schemars(length(max = 10000))]
    accounts: Option<Vec<String>>,
    /// Whether each person gets a mail; as the connection's `invite_on` says if absent, which is true by default.
    notify: Option<bool>,
    /// Days in which the run can be undone; 7 if absent.
    #[schemars(range(min = 1, max = 90))]
    undo_days: Option<u32>,
}

impl ConversionBody {
    pub(super) async fn wanted(self, app: &App, organization: String) -> Result<Wanted> {
        let connection = ConnectionId::new(self.connection);
        let notify = match self.notify {
            Some(notify) => notify,
            None => invitations::invites_converted(app, &connection).await?,
        };
        Ok(Wanted {
            organization: OrganizationId::new(organization),
            connection,
            mode: self.mode,
            kinds: self.kinds,
            accounts: self
                .accounts
                .map(|accounts| accounts.into_iter().map(AccountId::new).collect()),
            notify,
            undo_days: self.undo_days.unwrap_or(UNDO_DAYS),
        })
    }
}
