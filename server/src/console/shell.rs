//! What stands around every page of the console: the bar, the navigation, the words.

use std::fmt::Display;

use askama::Template;
use axum::http::HeaderMap;
use jiff::Timestamp;

use super::reasons;
use super::visit::Visitor;
use super::words::Language;
use crate::config::Config;
use crate::cookie::Cookie;

/// How pages look to one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The language of the words.
    pub language: Language,
    /// Light, dark, or as the system says.
    pub theme: Theme,
}

/// Appearances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Every appearance.
    pub const ALL: &'static [Self] = &[Self::System, Self::Light, Self::Dark];

    /// Returns the stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Tells whether somebody chose it, other than as the system says.
    pub const fn is_chosen(self) -> bool {
        !matches!(self, Self::System)
    }

    /// Returns the key of its name.
    pub const fn key(self) -> &'static str {
        match self {
            Self::System => "look.system",
            Self::Light => "look.light",
            Self::Dark => "look.dark",
        }
    }

    /// Finds an appearance by its word.
    pub fn parse(word: &str) -> Self {
        Self::ALL
            .iter()
            .copied()
            .find(|theme| theme.word() == word)
            .unwrap_or_default()
    }
}

impl Look {
    /// Reads how a browser wants it: its choice here, else what it accepts.
    pub fn of(config: &Config, headers: &HeaderMap) -> Self {
        let kept = Cookie::Look.read(config, headers).unwrap_or_default();
        let (language, theme) = kept.split_once('_').unwrap_or_default();
        Self {
            language: Language::parse(language).unwrap_or_else(|| Language::accepted(headers)),
            theme: Theme::parse(theme),
        }
    }

    /// Returns what the cookie keeps.
    pub fn kept(language: &str, theme: &str) -> String {
        let language = Language::parse(language).unwrap_or_default();
        format!("{}_{}", language.code(), Theme::parse(theme).word())
    }
}

/// Where in the navigation a page stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nowhere.
    None,
    /// Home of an organization.
    Home,
    /// People.
    Users,
    /// Groups.
    Groups,
    /// Identity providers.
    Connections,
    /// How people sign in.
    SignIn,
    /// Workspaces and roles.
    Access,
    /// Licenses.
    Licenses,
    /// What happened.
    Activity,
    /// For developers.
    Developers,
    /// Invitations.
    Invitations,
    /// Moving people to single sign-on.
    Moving,
    /// Domains.
    Domains,
    /// Organizations of the instance.
    Organizations,
    /// Identity providers of the instance.
    AllConnections,
    /// Work in the background.
    Jobs,
    /// The instance itself: health, backup, defaults.
    Health,
    /// Mail of the instance.
    Mails,
    /// Applications of the instance.
    Apps,
    /// What happened in the instance.
    InstanceActivity,
    /// The components of the design system.
    Components,
}

/// A part of the navigation.
pub struct Section {
    /// Its name; empty for the first.
    pub name: &'static str,
    /// Its links.
    pub links: Vec<NavLink>,
}

/// A link of the navigation.
pub struct NavLink {
    /// Where to.
    pub path: String,
    /// What it is called.
    pub name: &'static str,
    /// Whether this page is there.
    pub current: bool,
}

/// What just happened, said once.
#[derive(Clone, Debug)]
pub struct Flash {
    /// `good`, `warn` or `danger`.
    pub tone: &'static str,
    /// What.
    pub text: String,
}

/// What stands around a page.
pub struct Shell {
    /// How it looks.
    pub look: Look,
    /// Proof that forms came from this session.
    pub form_token: String,
    /// Who is signed in.
    pub person: String,
    /// Where the page stands.
    pub place: Place,
    /// The organization's name; empty outside of organizations.
    pub organization_name: String,
    /// The beginning of addresses of the organization, or of the operator's pages.
    pub base: String,
    /// As what the person is here.
    pub standing: &'static str,
    /// The address of this page.
    pub path: String,
    /// Whether the person operates the instance.
    pub is_operator: bool,
    /// What just happened.
    pub flash: Option<Flash>,
}

impl Shell {
    /// Says what is wrong with a rule, in the language of the page where its sentence is known.
    pub fn rule_fault(&self, message: &str) -> String {
        reasons::tell_fault(self.look.language, reasons::EXPRESSION, message)
    }

    /// Begins a page.
    pub fn new(visitor: &Visitor, place: Place) -> Self {
        Self {
            look: visitor.look,
            form_token: visitor.active.form_token.clone(),
            person: visitor.active.label(),
            place,
            organization_name: String::new(),
            base: String::new(),
            standing: "",
            path: visitor.path.clone(),
            is_operator: visitor.active.account.operator,
            flash: None,
        }
    }

    /// Begins a page of the set-up portal: no navigation, nobody who is signed in.
    pub fn of_portal(look: Look, form_token: String, organization_name: String, path: String) -> Self {
        Self {
            look,
            form_token,
            person: String::new(),
            place: Place::None,
            organization_name,
            base: "/setup".to_owned(),
            standing: "",
            path,
            is_operator: false,
            flash: None,
        }
    }

    /// Tells whether this is a page of the set-up portal.
    pub fn is_portal(&self) -> bool {
        self.base == "/setup"
    }

    /// Says what just happened, named in the address by a code of ours.
    #[must_use]
    pub fn after(mut self, done: Option<&str>) -> Self {
        self.flash = done.and_then(|code| {
            let language = self.look.language;
            let text = language
                .known(&format!("word.done_{code}"))
                .or_else(|| language.known(&format!("said.{code}")))?;
            Some(Flash {
                tone: "good",
                text: text.to_owned(),
            })
        });
        self
    }

    /// Returns the text of a key.
    pub fn t(&self, key: &'static str) -> &'static str {
        self.look.language.text(key)
    }

    /// Returns the text of a key with one value.
    pub fn t1(&self, key: &'static str, value: &dyn Display) -> String {
        self.look.language.with(key, &[value])
    }

    /// Returns the text of a key with two values.
    pub fn t2(&self, key: &'static str, first: &dyn Display, second: &dyn Display) -> String {
        self.look.language.with(key, &[first, second])
    }

    /// Returns the text of a key with three values.
    pub fn t3(
        &self,
        key: &'static str,
        first: &dyn Display,
        second: &dyn Display,
        third: &dyn Display,
    ) -> String {
        self.look.language.with(key, &[first, second, third])
    }

    /// Returns the name of something that data names; its own word where the catalogue has none.
    pub fn of<'a>(&self, family: &str, word: &'a str) -> &'a str {
        let key = format!("{family}.{}", word.replace('.', "_"));
        self.look.language.known(&key).unwrap_or(word)
    }

    /// Returns every language with whether it is chosen.
    pub fn languages(&self) -> Vec<(&'static str, &'static str, bool)> {
        Language::ALL
            .iter()
            .map(|one| (one.code(), one.name(), *one == self.look.language))
            .collect()
    }

    /// Returns every appearance with whether it is chosen.
    pub fn themes(&self) -> Vec<(&'static str, &'static str, bool)> {
        Theme::ALL
            .iter()
            .map(|one| (one.word(), self.t(one.key()), *one == self.look.theme))
            .collect()
    }

    /// Returns a time for people: the same in all languages, so that a table stays aligned.
    pub fn time(&self, at: &Timestamp) -> String {
        super::format::time(*at)
    }

    /// Returns a number with groups of three.
    pub fn number(&self, number: &u64) -> String {
        super::format::number(*number, self.look.language)
    }

    /// Returns the navigation.
    pub fn sections(&self) -> Vec<Section> {
        let link = |path: &str, key: &'static str, place: Place| NavLink {
            path: format!("{}{path}", self.base),
            name: self.t(key),
            current: self.place == place,
        };
        match self.place {
            Place::None => Vec::new(),
            Place::Organizations
            | Place::AllConnections
            | Place::Jobs
            | Place::Health
            | Place::Mails
            | Place::Apps
            | Place::InstanceActivity
            | Place::Components => vec![Section {
                name: self.t("nav.instance"),
                links: vec![
                    link("", "nav.organizations", Place::Organizations),
                    link("/connections", "nav.connections", Place::AllConnections),
                    link("/applications", "apps.title", Place::Apps),
                    link("/mails", "mails.title", Place::Mails),
                    link("/health", "nav.health", Place::Health),
                    link("/jobs", "nav.jobs", Place::Jobs),
                    link("/activity", "nav.activity", Place::InstanceActivity),
                ],
            }],
            Place::Home
            | Place::Users
            | Place::Groups
            | Place::Connections
            | Place::SignIn
            | Place::Access
            | Place::Licenses
            | Place::Activity
            | Place::Developers
            | Place::Invitations
            | Place::Moving
            | Place::Domains => vec![
                Section {
                    name: "",
                    links: vec![
                        link("", "nav.home", Place::Home),
                        link("/activity", "nav.activity", Place::Activity),
                    ],
                },
                Section {
                    name: self.t("nav.people"),
                    links: vec![
                        link("/users", "nav.users", Place::Users),
                        link("/invitations", "invitations.title", Place::Invitations),
                        link("/conversions", "moving.title", Place::Moving),
                        link("/groups", "nav.groups", Place::Groups),
                        link("/licenses", "nav.licenses", Place::Licenses),
                    ],
                },
                Section {
                    name: self.t("nav.sign_in"),
                    links: vec![
                        link("/connections", "nav.connections", Place::Connections),
                        link("/domains", "domains.title", Place::Domains),
                        link("/sign-in", "nav.security", Place::SignIn),
                        link("/access", "nav.access", Place::Access),
                        link("/developers", "nav.developers", Place::Developers),
                    ],
                },
            ],
        }
    }
}

/// The page that says no.
#[derive(Template)]
#[template(path = "console/refused.html")]
pub struct Refused {
    /// Around it.
    pub shell: Shell,
    /// Why.
    pub reason: &'static str,
    /// Where to sign in anew, if that helps.
    pub again: Option<String>,
}
