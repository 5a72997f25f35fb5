//! Fills admin-defined attributes from the claims of a sign-in. Never looks at attributes that nobody defined.

use super::Attempt;
use crate::attribute::{AttributeSource, Kept, Values};
use crate::directory::Account;
use crate::keeping::hold;
use crate::plan::ProfilePatch;
use crate::provision::differences;
use crate::trace::{Stage, StepOutcome, Steps};

impl Attempt<'_> {
    /// Brings the attributes of an account to what the claims say, by the winner of each. A claim that is absent empties what this
    /// protocol gave before; what others gave it leaves alone. Names what changed in the trace, never the values.
    pub(super) fn take_attributes(&self, account: &mut Account, steps: &mut Steps) {
        let definitions = &self.in_force.connection().settings.attributes;
        let source = AttributeSource::from(self.incoming.protocol);
        let mut values = Values {
            values: account.attributes.clone(),
            sources: account.keeping.sources.clone(),
        };
        let mut changed = Vec::new();
        for definition in definitions.iter().filter(|definition| definition.takes(source)) {
            let name = definition.name.as_str();
            let why = match values.say(definitions, source, name, definition.find(&self.incoming.claims)) {
                Ok(true) => {
                    changed.push(name);
                    continue;
                }
                Ok(false) | Err(Kept::NotAllowed) => continue,
                Err(Kept::StandsBefore(other)) => format!("what {} set stands", other.word()),
                Err(Kept::Mistyped) => "the claim is of another type".to_owned(),
            };
            let text = format!("attribute {name} is kept as it is: {why}");
            steps.add(Stage::Profile, StepOutcome::Skipped, "attribute_kept", text);
        }
        if changed.is_empty() {
            return;
        }
        let text = format!("attributes from the claims: {}", changed.join(", "));
        steps.add(Stage::Profile, StepOutcome::Passed, "attributes_updated", text);
        let held = account.clone();
        account.attributes = values.values;
        account.keeping.sources = values.sources;
        hold(&held, account);
    }

    /// The same for an account that is there already, as a patch and what stood there before.
    pub(super) fn refresh_attributes(
        &self,
        account: &mut Account,
        (set, before): (&mut ProfilePatch, &mut ProfilePatch),
        steps: &mut Steps,
    ) {
        let held = account.clone();
        self.take_attributes(account, steps);
        let wanted = ProfilePatch {
            attributes: Some(account.attributes.clone()),
            keeping: Some(account.keeping.clone()),
            ..ProfilePatch::default()
        };
        let (differing, was) = differences(&held, &wanted);
        (set.attributes, set.keeping) = (differing.attributes, differing.keeping);
        (before.attributes, before.keeping) = (was.attributes, was.keeping);
    }
}
