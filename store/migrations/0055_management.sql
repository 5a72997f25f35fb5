-- The management API: answers kept for requests that are sent again, imports of many people, and finding people by name.

CREATE TABLE idempotency_keys (
    id TEXT NOT NULL PRIMARY KEY, digest TEXT NOT NULL, answer {blob}, locked_until BIGINT NOT NULL, expires_at BIGINT NOT NULL);
CREATE INDEX idempotency_keys_expires ON idempotency_keys (expires_at);

CREATE TABLE imports (
    id TEXT NOT NULL PRIMARY KEY, organization TEXT REFERENCES organizations (id) ON DELETE CASCADE, actor TEXT NOT NULL,
    options TEXT NOT NULL, source TEXT NOT NULL, state TEXT NOT NULL, total BIGINT NOT NULL, done BIGINT NOT NULL,
    created BIGINT NOT NULL, updated BIGINT NOT NULL, unchanged BIGINT NOT NULL, failed BIGINT NOT NULL,
    problems TEXT NOT NULL, created_at BIGINT NOT NULL, finished_at BIGINT);
CREATE INDEX imports_organization ON imports (organization, id);

CREATE INDEX accounts_names ON accounts (family_name_key, given_name_key) WHERE family_name_key IS NOT NULL;
