-- Parts of each profile that were edited by hand (R-141).
ALTER TABLE accounts ADD COLUMN edited TEXT NOT NULL DEFAULT '[]';
