-- A link that whoever sets up made for a colleague: of which link, and at which step it opens.
ALTER TABLE setup_links ADD COLUMN asked_from TEXT;
ALTER TABLE setup_links ADD COLUMN step TEXT;
CREATE INDEX setup_links_asked_from ON setup_links (asked_from);
