//! The page that a refused person sees: a plain reason, what to do, a reference number.
//!
//! The words are vague where more would help an outsider and say nothing of rules, addresses of others or
//! protocol detail; the exact story is in the trace that the reference number opens for an administrator.

use askama::Template;
use provost_kernel::denial::Denial;

/// The refusal page.
#[derive(Template)]
#[template(path = "refusal.html")]
pub struct RefusalPage {
    /// Heading.
    pub title: String,
    /// Why, in one or two sentences.
    pub reason: String,
    /// Whom to ask and what to say.
    pub advice: String,
    /// Reference number of the trace.
    pub reference: Option<String>,
    /// Where to begin again; a link, never an automatic redirect, so that no loop can form.
    pub again_path: Option<String>,
}

/// Why a sign-in did not succeed, as far as the person may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rule or the state of the account refused.
    Denied(Denial),
    /// The identity provider's answer did not pass the protocol checks.
    NotVerified,
    /// The identity provider's logout message did not pass the checks.
    LogoutNotVerified,
    /// The attempt is unknown, used, too old, or began in another browser.
    AttemptGone,
    /// The identity provider itself said no, or the person cancelled there.
    ProviderRefused,
    /// The identity provider could not be reached or answered nonsense.
    ProviderUnreachable,
    /// A sign-in that began at the identity provider, where that is switched off.
    UnsolicitedRefused,
    /// The same answer was presented twice.
    Replayed,
}

/// The words for one reason.
pub struct Words {
    /// Heading.
    pub title: &'static str,
    /// Why.
    pub reason: &'static str,
    /// What to do; `{who}` stands for whom to ask.
    pub advice: &'static str,
}

const ASK: &str = "Ask {who} and give them the reference number below.";

impl Reason {
    /// Returns the words for the page.
    pub const fn words(self) -> Words {
        match self {
            Self::Denied(denial) => denied(denial),
            Self::NotVerified => Words {
                title: "Sign-in could not be verified",
                reason: "The answer from your company’s sign-in did not pass our checks, so nobody was signed in.",
                advice: "Try once more. If it happens again, ask {who} and give them the reference number below.",
            },
            Self::LogoutNotVerified => Words {
                title: "Sign-out could not be verified",
                reason: "The sign-out message from your company’s sign-in did not pass our checks, so nothing was ended.",
                advice: "Sign out here yourself. To have it mended, give {who} the reference number below.",
            },
            Self::AttemptGone => Words {
                title: "This sign-in is no longer open",
                reason: "It took too long, was already used, or was begun in another browser.",
                advice: "Start again in this browser. If it happens again, ask {who} and give them the reference number below.",
            },
            Self::ProviderRefused => Words {
                title: "Your company’s sign-in said no",
                reason: "Your identity provider ended the sign-in without confirming who you are. Perhaps it was cancelled, or this app is not assigned to you there.",
                advice: ASK,
            },
            Self::ProviderUnreachable => Words {
                title: "Your company’s sign-in does not answer",
                reason: "Your identity provider could not be reached just now.",
                advice: "Try again in a few minutes. If it lasts, ask {who} and give them the reference number below.",
            },
            Self::UnsolicitedRefused => Words {
                title: "Please start here",
                reason: "This organization accepts only sign-ins that begin at the app, not at the identity provider’s own start page.",
                advice: "Start the sign-in here instead. If that fails too, ask {who} and give them the reference number below.",
            },
            Self::Replayed => Words {
                title: "This answer was already used",
                reason: "An answer from your identity provider signs in once only. Going back or reloading the page sends it twice.",
                advice: "Start again. If it happens without reloading, tell {who} the reference number below.",
            },
        }
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "one arm for each kind of words, nothing else"
)]
const fn denied(denial: Denial) -> Words {
    match denial {
        Denial::ConnectionDisabled => Words {
            title: "This sign-in is switched off",
            reason: "Your company’s sign-in is not open at the moment.",
            advice: ASK,
        },
        Denial::NotProvisionedByHand => Words {
            title: "There is no account for you yet",
            reason: "Your company confirmed who you are, but here every account is made by an administrator first.",
            advice: "Ask {who} to create your account, and give them the reference number below.",
        },
        Denial::NotPushedByDirectory => Words {
            title: "There is no account for you yet",
            reason: "Your company confirmed who you are, but its directory has not sent your account here. That can take a while after access was given.",
            advice: "Ask {who} to assign this app to you, and give them the reference number below.",
        },
        Denial::DomainReserved => Words {
            title: "Your address belongs to another organization",
            reason: "The organization that owns the domain of your e-mail address lets nobody else make accounts with it.",
            advice: ASK,
        },
        Denial::DomainNotVerified | Denial::EmailMissing => Words {
            title: "Your e-mail address does not fit",
            reason: "Your company’s sign-in gave no confirmed e-mail address in a domain that is set up here.",
            advice: ASK,
        },
        Denial::AmbiguousMatch => Words {
            title: "We found more than one account",
            reason: "More than one account could be yours, and we do not guess.",
            advice: "Ask {who} which one is right, and give them the reference number below.",
        },
        Denial::Suspended => Words {
            title: "Your account is suspended",
            reason: "Your access is paused.",
            advice: ASK,
        },
        Denial::Deactivated | Denial::Deleted => Words {
            title: "Your account is closed",
            reason: "Your access here has ended.",
            advice: "If that is not right, ask {who} and give them the reference number below.",
        },
        Denial::ExistingAccountRefused | Denial::EmailTaken | Denial::Conflict => Words {
            title: "Your address is already in use",
            reason: "An account that signs in another way already uses your e-mail address.",
            advice: ASK,
        },
        Denial::IncompleteAssertionIds | Denial::UnknownAssertionId => Words {
            title: "Your company’s sign-in needs a correction",
            reason: "It asked for a workspace or role that does not exist here, so nothing was created.",
            advice: ASK,
        },
        Denial::NoOrganization => Words {
            title: "You have no access yet",
            reason: "Your company confirmed who you are, but no organization here has let you in.",
            advice: "Ask {who} to give you access, and give them the reference number below.",
        },
        Denial::NoSeat => Words {
            title: "All licenses are in use",
            reason: "Your organization has no free license for you at the moment.",
            advice: ASK,
        },
        Denial::EntitlementMissing => Words {
            title: "Company sign-in is not available",
            reason: "Your organization’s plan does not include signing in through your company.",
            advice: ASK,
        },
        Denial::LinkedToOtherIdentity => Words {
            title: "Your account belongs to another sign-in",
            reason: "The account that your company’s directory sent for you is already used with another identity.",
            advice: ASK,
        },
        Denial::NotInvitedPerson => Words {
            title: "This invitation is for somebody else",
            reason: "You are signed in at your company as somebody else than the person who was invited, so nobody was signed in here.",
            advice: "Sign in there as the invited person and open the link again. If that is you, ask {who} and give them the reference number below.",
        },
        Denial::Oneself
        | Denial::Protected
        | Denial::AlreadySso
        | Denial::PasswordRefusedForSso
        | Denial::SsoRequired
        | Denial::SecondFactorRequired
        | Denial::IllegalTransition
        | Denial::LastOwner
        | Denial::LastEmergencyAdmin
        | Denial::NotPermitted
        | Denial::NotFound
        | Denial::NotADirectory
        | Denial::UserNameTaken
        | Denial::ExternalIdTaken
        | Denial::GroupNameTaken
        | Denial::GroupExternalIdTaken
        | Denial::NameMissing
        | Denial::UnknownMember
        | Denial::StaleVersion
        | Denial::DirectoryManaged
        | Denial::WrongLicenseKind
        | Denial::FromGroup
        | Denial::InvalidValue
        | Denial::HeldByGuard => Words {
            title: "You cannot sign in this way",
            reason: "This account may not be used like this.",
            advice: ASK,
        },
    }
}
