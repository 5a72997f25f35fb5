//! One suite for both engines. SQLite always; PostgreSQL when `PROVOST_TEST_POSTGRES_URL` names a server.

mod backup;
mod directory;
mod engine;
mod feed;
mod oauth;
mod races;
mod records;
mod sessions;
mod support;
