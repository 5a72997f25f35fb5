-- What the console does with many people at once, and filters of its lists that somebody keeps under a name.
CREATE TABLE bulk_runs (
    id TEXT NOT NULL PRIMARY KEY, organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    actor TEXT NOT NULL, action TEXT NOT NULL, accounts TEXT NOT NULL, total BIGINT NOT NULL, done BIGINT NOT NULL,
    changed BIGINT NOT NULL, refused TEXT NOT NULL, created_at BIGINT NOT NULL, finished_at BIGINT);
CREATE INDEX bulk_runs_organization ON bulk_runs (organization, id);

CREATE TABLE saved_views (
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL, query TEXT NOT NULL, PRIMARY KEY (account, organization, name));
