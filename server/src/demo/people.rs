//! The people of the sandbox identity providers: three made-up companies with a directory each.

use serde_json::{Value, json};

/// Which of the sandbox directories a person is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directory {
    /// Home Lab speaks SAML.
    HomeLab,
    /// Acme speaks OpenID Connect.
    Acme,
    /// Globex speaks OpenID Connect, and pushes its people beforehand (SCIM).
    Globex,
}

impl Directory {
    /// Name of the company.
    pub(super) const fn company(self) -> &'static str {
        match self {
            Self::HomeLab => "Home Lab",
            Self::Acme => "Acme Tools",
            Self::Globex => "Globex",
        }
    }

    /// The people in it.
    pub(super) fn people(self) -> impl Iterator<Item = &'static Person> {
        PEOPLE.iter().filter(move |person| person.directory == self)
    }

    /// Finds a person by key; only in this directory.
    pub(super) fn person(self, key: &str) -> Option<&'static Person> {
        self.people().find(|person| person.key == key)
    }
}

/// A person as the sandbox directory knows them.
#[derive(Debug)]
pub(super) struct Person {
    /// Stable identifier there: NameID or `sub`.
    pub(super) key: &'static str,
    /// Which directory.
    pub(super) directory: Directory,
    /// Given name.
    pub(super) given: &'static str,
    /// Family name.
    pub(super) family: &'static str,
    /// Work e-mail.
    pub(super) email: &'static str,
    /// Groups.
    pub(super) groups: &'static [&'static str],
    /// Teams, which become workspaces at Acme.
    pub(super) teams: &'static [&'static str],
    /// One line that tells what to expect of signing in as this person.
    pub(super) about: &'static str,
}

impl Person {
    /// Full name.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.given, self.family)
    }

    /// Claims as an OpenID provider would send them.
    pub(super) fn claims(&self) -> Value {
        json!({
            "sub": self.key,
            "email": self.email,
            "email_verified": true,
            "name": self.name(),
            "given_name": self.given,
            "family_name": self.family,
            "groups": self.groups,
            "teams": self.teams,
        })
    }
}

const PEOPLE: &[Person] = &[
    Person {
        key: "ann",
        directory: Directory::HomeLab,
        given: "Ann",
        family: "Field",
        email: "ann@home-lab.example",
        groups: &["home-lab", "admin"],
        teams: &[],
        about: "In the group “admin”: becomes Admin of Home Lab",
    },
    Person {
        key: "ben",
        directory: Directory::HomeLab,
        given: "Ben",
        family: "Stone",
        email: "ben@home-lab.example",
        groups: &["home-lab"],
        teams: &[],
        about: "In the group “home-lab” only: becomes Member",
    },
    Person {
        key: "cleo",
        directory: Directory::HomeLab,
        given: "Cleo",
        family: "Marsh",
        email: "cleo@home-lab.example",
        groups: &["contractors"],
        teams: &[],
        about: "In no group that gives a role: is refused, with a reference number",
    },
    Person {
        key: "dora",
        directory: Directory::Acme,
        given: "Dora",
        family: "Lund",
        email: "dora@acme.example",
        groups: &["g-engineering", "g-leads"],
        teams: &["forge", "yard"],
        about: "In two mapped groups and two teams: Engineer and Lead, workspaces Forge and Yard",
    },
    Person {
        key: "emil",
        directory: Directory::Acme,
        given: "Emil",
        family: "Roth",
        email: "emil@acme.example",
        groups: &["g-engineering"],
        teams: &["forge"],
        about: "In one mapped group: Engineer, workspace Forge",
    },
    Person {
        key: "gus",
        directory: Directory::Globex,
        given: "Gus",
        family: "Hale",
        email: "gus@globex.example",
        groups: &[],
        teams: &[],
        about: "Refused until the directory of Globex pushes him; what he may do then, its groups say",
    },
];
