-- Set-up of connections: what the wizard keeps of a draft, and links by which somebody without an account sets one up.
-- A draft's connection need not exist yet: its identifier is given early, because addresses are made of it.
CREATE TABLE connection_drafts (
    connection TEXT NOT NULL PRIMARY KEY, organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    document TEXT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL);
CREATE INDEX connection_drafts_organization ON connection_drafts (organization);
CREATE TABLE setup_links (
    id TEXT NOT NULL PRIMARY KEY, digest TEXT NOT NULL,
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE, connection TEXT, scopes TEXT NOT NULL,
    label TEXT NOT NULL, created_by TEXT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL,
    opened_at BIGINT, done_at BIGINT, revoked_at BIGINT);
CREATE UNIQUE INDEX setup_links_digest ON setup_links (digest);
CREATE INDEX setup_links_organization ON setup_links (organization);
