-- Webhooks (R-188): who is told of which events, one row for each event that is to be told, and how each try went. `subject` is
-- the account that an event is about: what is told of one account is told in order, so only the oldest that waits is `ready`.
-- Secrets are sealed. Events are spread to webhooks in one pass over the feed, whose place is the counter 'webhooks'; a webhook that was
-- switched on again catches up from its own `position` first.
CREATE TABLE webhooks (
    id TEXT NOT NULL PRIMARY KEY, organization TEXT REFERENCES organizations (id) ON DELETE CASCADE, url TEXT NOT NULL,
    description TEXT, kinds TEXT NOT NULL, enabled BIGINT NOT NULL, position BIGINT NOT NULL, catching_up BIGINT NOT NULL,
    secrets {blob} NOT NULL, previous_until BIGINT, failing_since BIGINT, disabled_reason TEXT, due_at BIGINT, rest_until BIGINT,
    locked_until BIGINT, created_at BIGINT NOT NULL);
CREATE INDEX webhooks_organization ON webhooks (organization);
CREATE INDEX webhooks_due ON webhooks (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhooks_catching_up ON webhooks (id) WHERE catching_up = 1;
CREATE TABLE webhook_deliveries (
    id TEXT NOT NULL PRIMARY KEY, webhook TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE, sequence BIGINT NOT NULL,
    event TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL, ready BIGINT NOT NULL,
    attempts BIGINT NOT NULL, failures BIGINT NOT NULL, due_at BIGINT NOT NULL, last_status BIGINT, last_error TEXT,
    created_at BIGINT NOT NULL, delivered_at BIGINT);
CREATE UNIQUE INDEX webhook_deliveries_sequence ON webhook_deliveries (webhook, sequence);
CREATE INDEX webhook_deliveries_ready ON webhook_deliveries (webhook, due_at) WHERE state = 'pending' AND ready = 1;
CREATE INDEX webhook_deliveries_order ON webhook_deliveries (webhook, subject, sequence) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (webhook, sequence) WHERE state = 'failed';
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_at);
CREATE TABLE webhook_attempts (
    delivery TEXT NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE, number BIGINT NOT NULL, at BIGINT NOT NULL,
    status BIGINT, error TEXT, answer TEXT, milliseconds BIGINT NOT NULL, PRIMARY KEY (delivery, number));
