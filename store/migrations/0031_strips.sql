-- From whom rules took access lately, and until when an admin has approved that they go on.
CREATE TABLE strips (
    connection TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    account TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (connection, organization, account));
CREATE INDEX strips_at ON strips (at);
CREATE TABLE strip_approvals (
    connection TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    until BIGINT NOT NULL, PRIMARY KEY (connection, organization));
