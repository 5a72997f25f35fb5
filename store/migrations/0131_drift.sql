-- Whose access a hand edit keeps otherwise than the rules say (C-07), noted when it is found, so that no page looks at everybody.
-- `drift` is what the rules would change, as JSON.
CREATE TABLE drifts (
    organization TEXT NOT NULL, account TEXT NOT NULL, connection TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    drift TEXT NOT NULL, noted_at BIGINT NOT NULL, PRIMARY KEY (organization, account),
    FOREIGN KEY (account, organization) REFERENCES memberships (account, organization) ON DELETE CASCADE);
CREATE INDEX drifts_account ON drifts (account, organization);
CREATE INDEX drifts_connection ON drifts (connection, organization, account);
-- People to be looked at again; `asks` tells whether somebody asked once more while they were looked at.
CREATE TABLE drift_asks (
    account TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE, asks BIGINT NOT NULL, asked_at BIGINT NOT NULL);
CREATE INDEX drift_asks_time ON drift_asks (asked_at, account);
-- Walks over everybody of a connection whom a hand edit holds. `place` is the last account looked at, none between two walks.
CREATE TABLE drift_walks (
    connection TEXT NOT NULL PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE, asks BIGINT NOT NULL, place TEXT,
    looked_at BIGINT NOT NULL, began_at BIGINT NOT NULL, through_at BIGINT);
CREATE INDEX drift_walks_due ON drift_walks (through_at) WHERE place IS NULL;
CREATE INDEX drift_walks_under_way ON drift_walks (connection) WHERE place IS NOT NULL;
INSERT INTO drift_walks (connection, asks, place, looked_at, began_at) SELECT id, 1, '', 0, updated_at FROM connections;
-- Whom a hand edit holds, by account.
CREATE INDEX memberships_held ON memberships (account) WHERE pinned = 1;
CREATE INDEX memberships_held_license ON memberships (account) WHERE license_pinned = 1;
CREATE INDEX membership_roles_held ON membership_roles (account) WHERE pinned = 1;
CREATE INDEX membership_workspaces_held ON membership_workspaces (account) WHERE pinned = 1;
