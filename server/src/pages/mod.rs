//! Pages for people: view models of the templates in `server/templates`.
//!
//! A view model holds exactly the words of one page, already chosen; it never decides anything, never loads
//! anything and never sees a secret besides the form token. Markup escaping is the template engine's: no view
//! model field is ever marked safe.

pub mod account;
pub mod api_docs;
pub mod error;
pub mod passkey;
pub mod refusal;
pub mod second_factor;
pub mod sign_in;
pub mod words;
