-- Second factors and recovery codes of accounts with a password, sign-ins that wait for the second factor, browsers that an
-- account signed in from, and when a password was last typed.
CREATE TABLE second_factors (
    id TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE, kind TEXT NOT NULL,
    label TEXT NOT NULL, secret {blob}, last_step BIGINT, credential TEXT, public_key TEXT, sign_count BIGINT,
    created_at BIGINT NOT NULL, last_used_at BIGINT);
CREATE INDEX second_factors_account ON second_factors (account);
CREATE UNIQUE INDEX second_factors_credential ON second_factors (credential) WHERE credential IS NOT NULL;
CREATE TABLE recovery_codes (
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE, digest TEXT NOT NULL, created_at BIGINT NOT NULL,
    used_at BIGINT, PRIMARY KEY (account, digest));
CREATE TABLE half_sign_ins (
    digest TEXT NOT NULL PRIMARY KEY, account TEXT REFERENCES accounts (id) ON DELETE CASCADE, browser TEXT NOT NULL,
    data {blob} NOT NULL, attempts BIGINT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL);
CREATE INDEX half_sign_ins_expires ON half_sign_ins (expires_at);
CREATE TABLE known_devices (
    digest TEXT NOT NULL, account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE, created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL, PRIMARY KEY (digest, account));
CREATE INDEX known_devices_expires ON known_devices (expires_at);
CREATE INDEX known_devices_account ON known_devices (account);
ALTER TABLE credentials ADD COLUMN proved_at BIGINT;
