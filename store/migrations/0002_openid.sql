-- Requests of apps that wait for a sign-in, and which apps were told that a session ended.

CREATE TABLE authorize_requests (
    id TEXT NOT NULL PRIMARY KEY, client_id TEXT NOT NULL, parameters TEXT NOT NULL, asked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL, returns BIGINT NOT NULL);
CREATE INDEX authorize_requests_expires ON authorize_requests (expires_at);
ALTER TABLE session_clients ADD COLUMN told_at BIGINT;
CREATE INDEX sessions_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX authorization_codes_family ON authorization_codes (family);
CREATE UNIQUE INDEX refresh_tokens_generation ON refresh_tokens (family, generation);
