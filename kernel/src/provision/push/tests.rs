//! Pushes, case by case.
