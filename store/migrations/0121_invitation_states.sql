-- Invitations of one state each, in the order in which they are listed: a state that hardly any has is found without looking at the
-- others. Those that a link can still let in are told apart by when it ends, the rest by what ended them.
CREATE INDEX invitations_sent ON invitations (organization, expires_at, id)
    WHERE accepted_at IS NULL AND revoked_at IS NULL AND skipped_at IS NULL AND opened_at IS NULL;
CREATE INDEX invitations_opened ON invitations (organization, expires_at, id)
    WHERE accepted_at IS NULL AND revoked_at IS NULL AND skipped_at IS NULL AND opened_at IS NOT NULL;
-- Written otherwise than the two above, so that no planner takes it for them.
CREATE INDEX invitations_mailed ON invitations (organization, expires_at, id)
    WHERE COALESCE(accepted_at, revoked_at, skipped_at) IS NULL;
CREATE INDEX invitations_skipped ON invitations (organization, id)
    WHERE accepted_at IS NULL AND revoked_at IS NULL AND skipped_at IS NOT NULL;
CREATE INDEX invitations_accepted ON invitations (organization, id) WHERE accepted_at IS NOT NULL;
CREATE INDEX invitations_revoked ON invitations (organization, id) WHERE accepted_at IS NULL AND revoked_at IS NOT NULL;
