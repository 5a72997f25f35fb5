//! Finds the organizations that may admit a person from the claims, so that one sign-in does not cost work for each
//! organization of the instance. Never decides: whoever is found is judged by `admission`, which is the same for all.
//!
//! Policies of organizations that differ only in the texts they look for are one shape: solved once, and looked up by the
//! texts that the claims hold. What cannot be turned round is evaluated for each id, with everything that does not
//! depend on the id evaluated once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Claims, Compiled, InForce};
use crate::connection::Scope;
use crate::expression::{self, Expression, ORGANIZATION, Otherwise, Residual, Solution};
use crate::facts::OrganizationsNeeded;
use crate::id::OrganizationId;

/// The own policies of a connection, grouped by what their rules look like.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnRules {
    /// Organizations whose policy has no rule and admits everyone.
    open: Vec<OrganizationId>,
    shapes: Vec<Shape>,
}

/// Policies whose rules differ only in literals.
#[derive(Clone, Debug)]
struct Shape {
    tree: expression::Shape,
    /// The rule of one of them, with the least cost of any.
    example: Expression,
    members: BTreeSet<OrganizationId>,
    /// For each literal, who has which.
    literals: Vec<HashMap<String, Vec<OrganizationId>>>,
}

impl OwnRules {
    /// Groups own policies.
    pub(super) fn of(own: &BTreeMap<OrganizationId, Compiled>) -> Self {
        let mut rules = Self::default();
        let mut known: HashMap<String, usize> = HashMap::new();
        for (organization, policy) in own {
            let Some(rule) = &policy.organization else {
                rules.open.push(organization.clone());
                continue;
            };
            let lifted = rule.lift(organization.as_str());
            let position = *known.entry(lifted.key).or_insert(rules.shapes.len());
            if position == rules.shapes.len() {
                rules.shapes.push(Shape {
                    tree: lifted.shape,
                    example: rule.clone(),
                    members: BTreeSet::new(),
                    literals: vec![HashMap::new(); lifted.literals.len()],
                });
            }
            if let Some(shape) = rules.shapes.get_mut(position) {
                shape.members.insert(organization.clone());
                shape.example.as_cheap_as(rule);
                for (holders, literal) in shape.literals.iter_mut().zip(lifted.literals) {
                    holders.entry(literal).or_default().push(organization.clone());
                }
            }
        }
        rules
    }

    /// Adds every organization whose own policy may admit.
    fn find(&self, in_force: &InForce, claims: &Claims, found: &mut BTreeSet<OrganizationId>) {
        found.extend(self.open.iter().cloned());
        for shape in &self.shapes {
            let solution = shape.tree.solve(
                &shape.example,
                claims.document(),
                claims.size(),
                shape.literals.len(),
            );
            match solution.otherwise {
                Otherwise::Admits => found.extend(shape.members.iter().cloned()),
                Otherwise::Refuses => shape.find(&solution, found),
                Otherwise::Depends => {
                    let admits = |id: &&OrganizationId| in_force.rule_admits(claims, id);
                    found.extend(shape.members.iter().filter(admits).cloned());
                }
            }
        }
    }
}

impl Shape {
    fn find(&self, solution: &Solution, found: &mut BTreeSet<OrganizationId>) {
        let mut hits = solution.hits.iter();
        for id in hits.next().into_iter().flatten() {
            let id = OrganizationId::new(id.as_str());
            if self.members.contains(&id) {
                found.insert(id);
            }
        }
        for (hits, holders) in hits.zip(&self.literals) {
            found.extend(hits.iter().filter_map(|hit| holders.get(hit)).flatten().cloned());
        }
    }
}

impl InForce {
    /// Says which organizations must be loaded to run the rules for these claims: all that may admit. [`OrganizationsNeeded::All`]
    /// where the ids have to be looked at one by one: see [`Self::admitting`].
    pub fn organizations_needed(&self, claims: &Claims) -> OrganizationsNeeded {
        match &self.connection.scope {
            Scope::Organization {
                organization,
                shared_with,
            } => {
                let reach: Vec<OrganizationId> = std::iter::once(organization)
                    .chain(shared_with)
                    .cloned()
                    .collect();
                OrganizationsNeeded::Ids(self.admitting(claims, &reach))
            }
            Scope::Instance => match self.solve_default(claims) {
                Some(solution) if solution.otherwise == Otherwise::Refuses => {
                    let mut found = BTreeSet::new();
                    self.rules.find(self, claims, &mut found);
                    let named = solution.hits.into_iter().nth(ORGANIZATION).unwrap_or_default();
                    found.extend(self.without_own(named));
                    OrganizationsNeeded::Ids(found.into_iter().collect())
                }
                Some(_) => OrganizationsNeeded::All,
                // Without a default rule, only own policies speak of an organization.
                None => {
                    let mut found = BTreeSet::new();
                    self.rules.find(self, claims, &mut found);
                    OrganizationsNeeded::Ids(found.into_iter().collect())
                }
            },
        }
    }

    /// Returns those of the given organizations that may admit: `every` is all there are, or all in reach, without repetition.
    pub fn admitting(&self, claims: &Claims, every: &[OrganizationId]) -> Vec<OrganizationId> {
        let mut own = BTreeSet::new();
        self.rules.find(self, claims, &mut own);
        let solution = self.solve_default(claims);
        let mut residual: Option<Option<Residual>> = None;
        let mut by_default = |id: &OrganizationId| match &solution {
            None => self.owner() == Some(id),
            Some(solution) => match solution.otherwise {
                Otherwise::Admits => true,
                Otherwise::Refuses => solution
                    .hits
                    .get(ORGANIZATION)
                    .is_some_and(|hits| hits.contains(id.as_str())),
                Otherwise::Depends => residual
                    .get_or_insert_with(|| self.residual_of_default(claims))
                    .as_ref()
                    .map_or_else(
                        || self.rule_admits(claims, id),
                        |rest| is_admission(rest.evaluate(id.as_str()).as_ref(), id),
                    ),
            },
        };
        every
            .iter()
            .filter(|id| {
                if self.own.contains_key(*id) {
                    own.contains(*id)
                } else {
                    by_default(id)
                }
            })
            .cloned()
            .collect()
    }

    /// The organizations that the connection names, and of which a trace therefore speaks one by one.
    pub(crate) fn spoken_of(&self) -> impl Iterator<Item = &OrganizationId> {
        let (owner, shared): (_, &[OrganizationId]) = match &self.connection.scope {
            Scope::Instance => (None, &[]),
            Scope::Organization {
                organization,
                shared_with,
            } => (Some(organization), shared_with),
        };
        let named = owner.into_iter().chain(shared);
        let instance = owner.is_none();
        named.chain(self.own.keys().filter(move |_| instance))
    }

    /// Says in a sentence that the default rule admits to no other organization of the instance, if that is so.
    pub(crate) fn others_by_default(&self, claims: &Claims) -> Option<String> {
        if self.connection.scope != Scope::Instance {
            return None;
        }
        let rule = self.default.organization.as_ref()?;
        let solution = rule.solve(claims.document(), claims.size());
        if solution.otherwise == Otherwise::Admits {
            return None;
        }
        let because = rule
            .looked_at(claims.document())
            .map(|seen| format!(", because {seen}"))
            .unwrap_or_default();
        Some(format!(
            "rule `{}` admits to no other organization{because}",
            rule.source()
        ))
    }

    fn solve_default(&self, claims: &Claims) -> Option<Solution> {
        let rule = self.default.organization.as_ref()?;
        Some(rule.solve(claims.document(), claims.size()))
    }

    fn residual_of_default(&self, claims: &Claims) -> Option<Residual> {
        self.default
            .organization
            .as_ref()?
            .residual(claims.document(), claims.size())
    }

    /// The default policy speaks only of organizations without one of their own.
    fn without_own(&self, ids: BTreeSet<String>) -> impl Iterator<Item = OrganizationId> {
        ids.into_iter()
            .map(OrganizationId::new)
            .filter(|id| !self.own.contains_key(id))
    }

    /// Evaluates the rule in force for one organization.
    fn rule_admits(&self, claims: &Claims, organization: &OrganizationId) -> bool {
        let (policy, _) = self.policy_for(organization);
        policy
            .organization
            .as_ref()
            .is_some_and(|rule| is_admission(claims.evaluate(rule, organization).ok().as_ref(), organization))
    }
}

/// `true` or exactly the id admits; nothing else does.
pub(super) fn is_admission(value: Option<&serde_json::Value>, organization: &OrganizationId) -> bool {
    use serde_json::Value;
    match value {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(id)) => id == organization.as_str(),
        Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | None => false,
    }
}

#[cfg(test)]
mod tests;
