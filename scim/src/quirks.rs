//! The habits of real clients, one named function each.
//!
//! Owns: what a connection in `compat` mode understands beyond the RFC. Each function says whose habit it is and is
//! tested with the request as it was recorded. Never: runs in strict mode, unless the RFC leaves the form open.

mod echoes;
mod json_in_text;
mod keys;
mod missing_elements;
mod operations;
mod single_and_many;
#[cfg(test)]
mod tests;
mod text_values;

pub(crate) use echoes::{is_echoed, is_noise, is_password};
pub(crate) use json_in_text::{json_in_a_part, json_in_the_value};
pub(crate) use keys::{path_in_a_key, without_last_colon};
pub(crate) use missing_elements::element_of_a_filter;
pub(crate) use operations::{ids_in_a_filter, operation_word, removed_by_value, values_in_operations};
pub(crate) use single_and_many::{one_for_a_list, only_one_of_a_list, text_for_a_complex_value};
pub(crate) use text_values::{boolean_in_text, decimal_in_text, integer_in_text, is_empty_text};
