//! Finds the account that an incoming identity stands for. Never links or changes one.
