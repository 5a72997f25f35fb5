-- The whole model of the first release. Times are milliseconds since 1970, flags 0 or 1, JSON is text.
-- Portable between SQLite and PostgreSQL: only BIGINT, TEXT and bytes, partial unique indexes as the last judge.

CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);
CREATE TABLE revisions (name TEXT NOT NULL PRIMARY KEY, revision BIGINT NOT NULL);
INSERT INTO counters (name, value) VALUES ('events', 0);

CREATE TABLE organizations (
    id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, roles_per_member TEXT NOT NULL,
    settings TEXT NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL);
CREATE TABLE roles (
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE, id TEXT NOT NULL, name TEXT NOT NULL,
    position BIGINT NOT NULL, is_owner BIGINT NOT NULL, is_default BIGINT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (organization, id));
CREATE UNIQUE INDEX roles_name ON roles (organization, name);
CREATE TABLE workspaces (
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE, id TEXT NOT NULL, name TEXT NOT NULL,
    position BIGINT NOT NULL, is_default BIGINT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (organization, id));
CREATE TABLE licenses (
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE, id TEXT NOT NULL,
    position BIGINT NOT NULL, seats BIGINT, used BIGINT NOT NULL DEFAULT 0, document TEXT NOT NULL,
    PRIMARY KEY (organization, id), CONSTRAINT licenses_used CHECK (used >= 0));
CREATE TABLE domains (
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE, name TEXT NOT NULL,
    token TEXT, verified_at BIGINT, settings TEXT NOT NULL, created_at BIGINT NOT NULL,
    PRIMARY KEY (organization, name));
CREATE UNIQUE INDEX domains_verified ON domains (name) WHERE verified_at IS NOT NULL;

CREATE TABLE connections (
    id TEXT NOT NULL PRIMARY KEY, organization TEXT REFERENCES organizations (id), name TEXT NOT NULL,
    protocol TEXT NOT NULL, enabled BIGINT NOT NULL, status TEXT NOT NULL, document TEXT NOT NULL,
    protocol_config TEXT NOT NULL, secrets {blob}, version BIGINT NOT NULL,
    created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL);
CREATE INDEX connections_organization ON connections (organization);
CREATE TABLE connection_organizations (
    connection TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    PRIMARY KEY (connection, organization));
CREATE INDEX connection_organizations_organization ON connection_organizations (organization);
CREATE TABLE connection_domains (
    connection TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE, name TEXT NOT NULL,
    PRIMARY KEY (connection, name));
CREATE INDEX connection_domains_name ON connection_domains (name);

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, connection TEXT REFERENCES connections (id),
    status TEXT NOT NULL, status_origin TEXT NOT NULL, email TEXT, email_key TEXT,
    user_name TEXT, user_name_key TEXT, external_id TEXT, given_name TEXT, family_name TEXT, display_name TEXT,
    emergency_admin BIGINT NOT NULL, operator BIGINT NOT NULL, attributes TEXT NOT NULL,
    version BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL);
CREATE UNIQUE INDEX accounts_standard_email ON accounts (email_key)
    WHERE connection IS NULL AND status <> 'deleted';
CREATE UNIQUE INDEX accounts_sso_email ON accounts (connection, email_key)
    WHERE connection IS NOT NULL AND status <> 'deleted';
CREATE UNIQUE INDEX accounts_external_id ON accounts (connection, external_id)
    WHERE connection IS NOT NULL AND status <> 'deleted';
CREATE UNIQUE INDEX accounts_user_name ON accounts (connection, user_name_key)
    WHERE connection IS NOT NULL AND status <> 'deleted';
CREATE INDEX accounts_email ON accounts (email_key);
CREATE INDEX accounts_operator ON accounts (id) WHERE operator = 1;
CREATE TABLE credentials (
    account TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    password_hash TEXT NOT NULL, updated_at BIGINT NOT NULL);
CREATE TABLE links (
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    connection TEXT NOT NULL REFERENCES connections (id), issuer TEXT NOT NULL, format TEXT NOT NULL,
    subject TEXT NOT NULL, subject_key TEXT NOT NULL, fold_key TEXT NOT NULL, created_at BIGINT NOT NULL,
    PRIMARY KEY (account, connection, subject_key));
CREATE UNIQUE INDEX links_subject ON links (connection, subject_key);
CREATE INDEX links_fold ON links (connection, fold_key);

CREATE TABLE memberships (
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    organization TEXT NOT NULL REFERENCES organizations (id), active BIGINT NOT NULL, source TEXT NOT NULL,
    pinned BIGINT NOT NULL, all_workspaces TEXT, license TEXT, license_source TEXT, license_pinned BIGINT,
    license_seated BIGINT, version BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
    PRIMARY KEY (account, organization),
    FOREIGN KEY (organization, license) REFERENCES licenses (organization, id));
CREATE INDEX memberships_organization ON memberships (organization, account);
CREATE INDEX memberships_license ON memberships (organization, license) WHERE license IS NOT NULL;
CREATE TABLE membership_roles (
    account TEXT NOT NULL, organization TEXT NOT NULL, role TEXT NOT NULL, source TEXT NOT NULL, pinned BIGINT NOT NULL,
    PRIMARY KEY (account, organization, role),
    FOREIGN KEY (account, organization) REFERENCES memberships (account, organization) ON DELETE CASCADE,
    FOREIGN KEY (organization, role) REFERENCES roles (organization, id));
CREATE INDEX membership_roles_role ON membership_roles (organization, role);
CREATE TABLE membership_workspaces (
    account TEXT NOT NULL, organization TEXT NOT NULL, workspace TEXT NOT NULL, source TEXT NOT NULL,
    pinned BIGINT NOT NULL,
    PRIMARY KEY (account, organization, workspace),
    FOREIGN KEY (account, organization) REFERENCES memberships (account, organization) ON DELETE CASCADE,
    FOREIGN KEY (organization, workspace) REFERENCES workspaces (organization, id));
CREATE INDEX membership_workspaces_workspace ON membership_workspaces (organization, workspace);

CREATE TABLE groups (
    id TEXT NOT NULL PRIMARY KEY, connection TEXT REFERENCES connections (id),
    organization TEXT REFERENCES organizations (id), external_id TEXT, name TEXT NOT NULL, attributes TEXT NOT NULL,
    version BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL);
CREATE UNIQUE INDEX groups_external_id ON groups (connection, external_id);
CREATE INDEX groups_name ON groups (connection, name);
CREATE TABLE group_members (
    group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE, added_at BIGINT NOT NULL,
    PRIMARY KEY (group_id, account));
CREATE INDEX group_members_account ON group_members (account);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY, digest TEXT NOT NULL, account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    connection TEXT REFERENCES connections (id), issuer TEXT, format TEXT, subject TEXT, subject_key TEXT,
    upstream_session TEXT, authenticated_at BIGINT NOT NULL, methods TEXT NOT NULL, class TEXT,
    created_at BIGINT NOT NULL, last_seen_at BIGINT NOT NULL, idle_seconds BIGINT NOT NULL, ends_at BIGINT NOT NULL,
    revoked_at BIGINT, revoked_reason TEXT, id_token {blob});
CREATE UNIQUE INDEX sessions_digest ON sessions (digest);
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_subject ON sessions (connection, subject_key);
CREATE INDEX sessions_upstream ON sessions (connection, upstream_session);
CREATE INDEX sessions_ends ON sessions (ends_at);
CREATE TABLE session_clients (
    session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE, client_id TEXT NOT NULL,
    first_at BIGINT NOT NULL, PRIMARY KEY (session, client_id));
CREATE TABLE login_requests (
    id TEXT NOT NULL PRIMARY KEY, connection TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    protocol TEXT NOT NULL, browser_digest TEXT NOT NULL, data {blob} NOT NULL, return_to TEXT NOT NULL,
    created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL);
CREATE INDEX login_requests_expires ON login_requests (expires_at);
CREATE TABLE spent_proofs (proof_key TEXT NOT NULL PRIMARY KEY, until BIGINT NOT NULL);
CREATE INDEX spent_proofs_until ON spent_proofs (until);

CREATE TABLE applications (
    client_id TEXT NOT NULL PRIMARY KEY, secret_digest TEXT, all_organizations BIGINT NOT NULL,
    document TEXT NOT NULL, version BIGINT NOT NULL,
    created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL);
CREATE TABLE application_organizations (
    client_id TEXT NOT NULL REFERENCES applications (client_id) ON DELETE CASCADE,
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE, PRIMARY KEY (client_id, organization));
CREATE TABLE authorization_codes (
    digest TEXT NOT NULL PRIMARY KEY, client_id TEXT NOT NULL, session TEXT NOT NULL, account TEXT NOT NULL,
    redirect_uri TEXT NOT NULL, data TEXT NOT NULL, family TEXT NOT NULL, created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL, used_at BIGINT, revoked_at BIGINT);
CREATE INDEX authorization_codes_expires ON authorization_codes (expires_at);
CREATE INDEX authorization_codes_session ON authorization_codes (session);
CREATE INDEX authorization_codes_account ON authorization_codes (account);
CREATE TABLE refresh_tokens (
    digest TEXT NOT NULL PRIMARY KEY, family TEXT NOT NULL, generation BIGINT NOT NULL, client_id TEXT NOT NULL,
    account TEXT NOT NULL, session TEXT NOT NULL, scope TEXT NOT NULL, data TEXT NOT NULL, created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL, absolute_expires_at BIGINT NOT NULL, used_at BIGINT, replaced_by TEXT,
    revoked_at BIGINT);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session);
CREATE INDEX refresh_tokens_account ON refresh_tokens (account);
CREATE INDEX refresh_tokens_expires ON refresh_tokens (absolute_expires_at);
CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY, algorithm TEXT NOT NULL, private_key {blob} NOT NULL, public_jwk TEXT NOT NULL,
    state TEXT NOT NULL, not_before BIGINT NOT NULL, not_after BIGINT, created_at BIGINT NOT NULL);

CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, label TEXT NOT NULL, digest TEXT NOT NULL,
    connection TEXT REFERENCES connections (id) ON DELETE CASCADE,
    organization TEXT REFERENCES organizations (id) ON DELETE CASCADE, scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL, expires_at BIGINT, last_used_at BIGINT, revoked_at BIGINT);
CREATE UNIQUE INDEX tokens_digest ON tokens (digest);
CREATE INDEX tokens_connection ON tokens (connection);
CREATE TABLE invitations (
    id TEXT NOT NULL PRIMARY KEY, digest TEXT NOT NULL, organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    email TEXT NOT NULL, email_key TEXT NOT NULL, data TEXT NOT NULL, created_by TEXT, created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL, accepted_at BIGINT, revoked_at BIGINT);
CREATE UNIQUE INDEX invitations_digest ON invitations (digest);
CREATE INDEX invitations_organization ON invitations (organization, email_key);

CREATE TABLE audit_heads (organization TEXT NOT NULL PRIMARY KEY, sequence BIGINT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE audit (
    organization TEXT NOT NULL, sequence BIGINT NOT NULL, at BIGINT NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL,
    account TEXT, connection TEXT, trace TEXT, data TEXT NOT NULL, previous_hash TEXT NOT NULL, hash TEXT NOT NULL,
    PRIMARY KEY (organization, sequence));
CREATE INDEX audit_account ON audit (account);
CREATE TABLE events (
    sequence BIGINT NOT NULL PRIMARY KEY, id TEXT NOT NULL, at BIGINT NOT NULL, kind TEXT NOT NULL, account TEXT,
    organization TEXT, connection TEXT, trace TEXT, data TEXT NOT NULL);
CREATE INDEX events_account ON events (account, sequence);
CREATE TABLE traces (
    id TEXT NOT NULL PRIMARY KEY, at BIGINT NOT NULL, kind TEXT NOT NULL, connection TEXT, account TEXT, verdict TEXT NOT NULL,
    trace TEXT NOT NULL, claims TEXT);
CREATE INDEX traces_at ON traces (at);
CREATE INDEX traces_connection ON traces (connection, at);
CREATE INDEX traces_account ON traces (account, at);

CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, idempotency_key TEXT, payload TEXT NOT NULL, run_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL, locked_until BIGINT, locked_by TEXT, last_error TEXT, created_at BIGINT NOT NULL,
    done_at BIGINT, dead_at BIGINT);
CREATE UNIQUE INDEX jobs_idempotency ON jobs (idempotency_key);
CREATE INDEX jobs_ready ON jobs (kind, run_at) WHERE done_at IS NULL AND dead_at IS NULL;
CREATE TABLE rate_limits (key TEXT NOT NULL PRIMARY KEY, window_start BIGINT NOT NULL, hits BIGINT NOT NULL, expires_at BIGINT NOT NULL);
CREATE INDEX rate_limits_expires ON rate_limits (expires_at);
