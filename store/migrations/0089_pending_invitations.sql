-- Invitations that wait, so that asking for them costs nothing where everybody has come in.
CREATE INDEX invitations_pending ON invitations (organization, id) WHERE accepted_at IS NULL AND revoked_at IS NULL;
