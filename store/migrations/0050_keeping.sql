-- What is remembered beside the fields of an account: where its attributes came from and which fields are overridden for a
-- while, as JSON; null where there is nothing. The second column finds the accounts whose override ends.
ALTER TABLE accounts ADD COLUMN keeping TEXT;
ALTER TABLE accounts ADD COLUMN override_ends_at BIGINT;
CREATE INDEX accounts_override_ends ON accounts (override_ends_at) WHERE override_ends_at IS NOT NULL;
