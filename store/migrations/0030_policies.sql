-- What policies are tried on: the last claims of each account through each connection. Changes of a policy that wait for
-- an approval. Since when somebody waits for a seat. Keys of the API by organization, and its part of the feed.
CREATE TABLE last_claims (
    connection TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    at BIGINT NOT NULL, trace TEXT NOT NULL, claims TEXT NOT NULL,
    PRIMARY KEY (connection, account));
CREATE INDEX last_claims_account ON last_claims (account);
CREATE TABLE policy_changes (
    id TEXT NOT NULL PRIMARY KEY, connection TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    connection_version BIGINT NOT NULL, state TEXT NOT NULL, policies TEXT NOT NULL, impact TEXT NOT NULL,
    asked_by TEXT NOT NULL, asked_at BIGINT NOT NULL, settled_by TEXT, settled_at BIGINT);
CREATE UNIQUE INDEX policy_changes_held ON policy_changes (connection) WHERE state = 'held';
CREATE INDEX policy_changes_connection ON policy_changes (connection, id);
ALTER TABLE memberships ADD COLUMN waiting_since BIGINT;
UPDATE memberships SET waiting_since = updated_at WHERE license_seated = 0;
CREATE INDEX memberships_waiting ON memberships (organization, license, waiting_since) WHERE license_seated = 0;
CREATE INDEX tokens_organization ON tokens (organization);
CREATE INDEX events_organization ON events (organization, sequence);
