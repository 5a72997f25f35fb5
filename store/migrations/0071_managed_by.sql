-- Who manages an organization's people and connections: owners and admins, or owners alone (C-26).
ALTER TABLE organizations ADD COLUMN managed_by TEXT NOT NULL DEFAULT 'owners_and_admins';
