-- An admin's leave for a directory to take out more people than the guard lets through, until a moment.

CREATE TABLE departure_approvals (
    connection TEXT NOT NULL PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    until BIGINT NOT NULL, approved_at BIGINT NOT NULL);
