//! One suite for both engines. SQLite always; PostgreSQL when `PROVOST_TEST_POSTGRES_URL` names a server.
//! The modules are marked as tests one by one, because the lints that spare tests look for that mark.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod drifts;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod group_commit;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod joint;
#[cfg(test)]
mod local_groups;
#[cfg(test)]
mod mails;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod people;
#[cfg(test)]
mod people_filters;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod pushes;
#[cfg(test)]
mod races;
#[cfg(test)]
mod records;
#[cfg(test)]
mod search;
#[cfg(test)]
mod seats;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod sign_in_days;
#[cfg(test)]
mod statistics;
#[cfg(test)]
mod support;
#[cfg(test)]
mod values;
#[cfg(test)]
mod waiting;
#[cfg(test)]
mod webhooks;
