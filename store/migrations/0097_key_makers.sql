-- Whose doing a key of the API is: with whoever made it, it ends (R-167).
ALTER TABLE tokens ADD COLUMN made_by TEXT;
CREATE INDEX tokens_made_by ON tokens (made_by);
