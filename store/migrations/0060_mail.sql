-- The outbox of mails: written with the cause, delivered by any node. `link` is sealed, and wiped once the mail left or was
-- given up. Invitations learn whom they are for and what became of them.
CREATE TABLE mails (
    id TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, recipient TEXT NOT NULL, recipient_key TEXT NOT NULL,
    organization TEXT REFERENCES organizations (id) ON DELETE CASCADE,
    account TEXT REFERENCES accounts (id) ON DELETE CASCADE, language TEXT, content TEXT NOT NULL, link {blob},
    state TEXT NOT NULL, attempts BIGINT NOT NULL, due_at BIGINT NOT NULL, locked_until BIGINT, last_error TEXT,
    created_at BIGINT NOT NULL, sent_at BIGINT);
CREATE INDEX mails_due ON mails (due_at) WHERE state = 'queued';
CREATE INDEX mails_account ON mails (account, id);
CREATE INDEX mails_recipient ON mails (recipient_key, id);
CREATE INDEX mails_organization ON mails (organization, id);
CREATE INDEX mails_created ON mails (created_at);

ALTER TABLE invitations ADD COLUMN account TEXT REFERENCES accounts (id) ON DELETE CASCADE;
ALTER TABLE invitations ADD COLUMN opened_at BIGINT;
ALTER TABLE invitations ADD COLUMN skipped_at BIGINT;
ALTER TABLE invitations ADD COLUMN sent_at BIGINT;
CREATE UNIQUE INDEX invitations_open ON invitations (organization, account)
    WHERE account IS NOT NULL AND accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX invitations_account ON invitations (account);
