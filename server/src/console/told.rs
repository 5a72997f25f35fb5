//! Errors and refusals as sentences of a page, in its language. Never chooses what is shown of them.

use axum::http::StatusCode;

use super::reasons;
use super::shell::Shell;
use super::visit::Stop;
use crate::error::AppError;

/// Says what is wrong: in the language of the page where the catalogue knows the code, else as the API says it.
pub fn sentence(shell: &Shell, error: &AppError) -> String {
    let language = shell.look.language;
    let code = error.code();
    let known = language
        .known(&format!("fault.{code}"))
        .or_else(|| language.known(&format!("verdict.{code}")))
        .or_else(|| language.known(&format!("word.{code}")));
    known.map_or_else(|| error.public().to_owned(), str::to_owned)
}

/// Says why the kernel refused something, by the code of the denial.
pub fn denial(shell: &Shell, code: &str) -> String {
    let language = shell.look.language;
    let known = language
        .known(&format!("fault.{code}"))
        .or_else(|| language.known(&format!("verdict.{code}")));
    known.map_or_else(|| code.to_owned(), str::to_owned)
}

/// Says what is wrong place by place, each with its place as the API names it.
pub fn faults(shell: &Shell, error: &AppError) -> Vec<(String, String)> {
    let tell = |text: &str| reasons::tell_setting(shell.look.language, text);
    let faults = error.faults().iter();
    faults
        .map(|fault| (fault.path.clone(), tell(&fault.message)))
        .collect()
}

/// As [`sentence`], for a page that may have nothing to say: empty then.
pub fn problem(shell: &Shell, error: Option<&AppError>) -> String {
    error.map(|error| sentence(shell, error)).unwrap_or_default()
}

/// As [`faults`], for a page that may have nothing to say: none then.
pub fn problem_faults(shell: &Shell, error: Option<&AppError>) -> Vec<(String, String)> {
    error.map(|error| faults(shell, error)).unwrap_or_default()
}

/// Takes what a person can mend as a sentence for the page; everything else goes on as an error.
///
/// # Errors
/// What no person can mend here: something that is not there, and faults of ours.
pub fn mendable(shell: &Shell, error: AppError) -> Result<String, Stop> {
    let status = error.status();
    if status == StatusCode::NOT_FOUND || !status.is_client_error() {
        return Err(error.into());
    }
    Ok(sentence(shell, &error))
}
