-- Runs that move people to single sign-on: one row for each person, so that a run that broke off goes on where it was.
CREATE TABLE conversions (
    id TEXT NOT NULL PRIMARY KEY, organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    connection TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE, mode TEXT NOT NULL, actor TEXT NOT NULL,
    notify BIGINT NOT NULL, state TEXT NOT NULL, locked_until BIGINT, created_at BIGINT NOT NULL, done_at BIGINT,
    undo_until BIGINT NOT NULL);
CREATE INDEX conversions_organization ON conversions (organization, id);
CREATE INDEX conversions_running ON conversions (id) WHERE state IN ('running', 'undoing');
CREATE TABLE conversion_rows (
    conversion TEXT NOT NULL REFERENCES conversions (id) ON DELETE CASCADE, account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    email TEXT, state TEXT NOT NULL, reason TEXT, converted TEXT REFERENCES accounts (id) ON DELETE CASCADE,
    reminded_at BIGINT, updated_at BIGINT NOT NULL, PRIMARY KEY (conversion, account));
CREATE INDEX conversion_rows_state ON conversion_rows (conversion, state, account);
CREATE INDEX conversion_rows_account ON conversion_rows (account);
CREATE INDEX conversion_rows_converted ON conversion_rows (converted);
