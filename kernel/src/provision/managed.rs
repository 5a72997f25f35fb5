//! Fields that a directory keeps (R-163, C-28): read-only for everybody else, as long as the directory pushes.

use super::Work;
use super::authority::Authority;
use crate::connection::Provisioning;
use crate::denial::Denial;
use crate::directory::{Authentication, DirectoryProfile};
use crate::facts::AccountFacts;
use crate::plan::ProfilePatch;
use crate::trace::{Stage, StepOutcome};

impl Work<'_> {
    /// Takes what the directory keeps out of a patch that somebody else wants. A person who edits by hand is refused and told who
    /// keeps the field; the file and the product itself are passed over, so that a file that names an old value stays harmless.
    pub(super) fn leave_to_directory(
        &mut self,
        target: &AccountFacts,
        set: ProfilePatch,
        authority: &Authority,
    ) -> Result<ProfilePatch, Denial> {
        if self.managing_profile(target).is_none() {
            return Ok(set);
        }
        let decides_kind = self
            .connection
            .is_some_and(|connection| connection.settings.directory.kind_attribute.is_some());
        let (kept, rest) = split(set, decides_kind);
        if kept.is_empty() {
            return Ok(rest);
        }
        let text = format!(
            "the directory{} keeps {}: change it there, or override it for a while",
            self.of_connection(),
            kept.join(", ")
        );
        match authority {
            Authority::Operator | Authority::Admin { .. } => Err(self.refuse(Denial::DirectoryManaged, text)),
            Authority::Everything => {
                self.steps
                    .add(Stage::Profile, StepOutcome::Warned, "managed_by_directory", text);
                Ok(rest)
            }
            // What a directory itself wants comes as a push; this way it has never had a say of its own.
            Authority::Directory { .. } => Ok(rest),
        }
    }

    /// The document of a person whom a directory manages. Where the connection takes no pushes any more, nobody is managed, and
    /// whoever has a password account by now belongs to no directory.
    pub(super) fn managing_profile(&self, target: &AccountFacts) -> Option<&DirectoryProfile> {
        let pushes = self
            .connection
            .is_none_or(|connection| connection.provisioning == Provisioning::Scim)
            && target.account.authentication != Authentication::Standard;
        let profiles = &self.facts.directory.profiles;
        profiles.get(&target.account.id).filter(|_| pushes)
    }
}

/// Names the fields that the directory keeps, and returns the others. Attributes are judged one by one before this.
fn split(mut set: ProfilePatch, decides_kind: bool) -> (Vec<&'static str>, ProfilePatch) {
    let kept = [
        ("the user name", set.user_name.take().is_some()),
        ("the external id", set.external_id.take().is_some()),
        ("the address", set.email.take().is_some()),
        ("the given name", set.given_name.take().is_some()),
        ("the family name", set.family_name.take().is_some()),
        ("the display name", set.display_name.take().is_some()),
        ("the kind", decides_kind && set.kind.take().is_some()),
    ];
    let names = kept
        .into_iter()
        .filter(|(_, is_kept)| *is_kept)
        .map(|(name, _)| name);
    (names.collect(), set)
}
