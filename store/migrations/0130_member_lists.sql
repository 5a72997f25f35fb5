-- What lists of an organization's members are filtered by, in the order of those lists, so that a filter that hardly anybody fits is
-- answered without looking at everybody else.

-- State and kind of the account, and whether it is bound to a connection, beside the membership. Kept by triggers, so that nothing that
-- writes accounts can forget it. Most accounts are active users of a provider, whose memberships are written once.
ALTER TABLE memberships ADD COLUMN account_status TEXT NOT NULL DEFAULT 'active';
ALTER TABLE memberships ADD COLUMN account_kind TEXT NOT NULL DEFAULT 'user';
ALTER TABLE memberships ADD COLUMN account_bound BIGINT NOT NULL DEFAULT 1;
UPDATE memberships SET account_status = a.status, account_kind = a.kind,
    account_bound = CASE WHEN a.connection IS NULL THEN 0 ELSE 1 END FROM accounts a
    WHERE a.id = memberships.account AND (a.status <> 'active' OR a.kind <> 'user' OR a.connection IS NULL);
CREATE INDEX memberships_account_status ON memberships (organization, account_status, account);
CREATE INDEX memberships_account_bound ON memberships (organization, account_bound, account);
CREATE INDEX memberships_account_kind ON memberships (organization, account_kind, account) WHERE account_kind <> 'user';
CREATE INDEX memberships_pinned ON memberships (organization, account) WHERE pinned = 1;
CREATE INDEX memberships_all_workspaces ON memberships (organization, account) WHERE all_workspaces IS NOT NULL;
CREATE INDEX memberships_seatless ON memberships (organization, account) WHERE license_seated = 0;
-- Who granted a role.
CREATE INDEX membership_roles_source ON membership_roles (organization, ({json:source} ->> 'kind'), account);
CREATE INDEX membership_roles_pinned ON membership_roles (organization, account) WHERE pinned = 1;
DROP INDEX membership_workspaces_workspace;
CREATE INDEX membership_workspaces_workspace ON membership_workspaces (organization, workspace, account);
-- Accounts of all organizations, by state.
CREATE INDEX accounts_status ON accounts (status, id) WHERE status <> 'active';
{sqlite}
CREATE TRIGGER memberships_account AFTER INSERT ON memberships BEGIN
    UPDATE memberships SET account_status = a.status, account_kind = a.kind, account_bound = a.connection IS NOT NULL
        FROM accounts a WHERE a.id = NEW.account AND memberships.account = NEW.account
        AND memberships.organization = NEW.organization AND (a.status <> NEW.account_status OR a.kind <> NEW.account_kind
        OR (a.connection IS NOT NULL) <> NEW.account_bound);
END;
CREATE TRIGGER accounts_memberships AFTER UPDATE OF status, kind, connection ON accounts
WHEN NEW.status <> OLD.status OR NEW.kind <> OLD.kind OR NEW.connection IS NOT OLD.connection BEGIN
    UPDATE memberships SET account_status = NEW.status, account_kind = NEW.kind, account_bound = NEW.connection IS NOT NULL
        WHERE account = NEW.id;
END;
{end}
{postgres}
-- The lock makes whoever changes the account meanwhile come before or after, and not see a membership less than there are.
CREATE FUNCTION memberships_account() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    held RECORD;
BEGIN
    SELECT status, kind, CASE WHEN connection IS NULL THEN 0 ELSE 1 END AS bound INTO held FROM accounts
        WHERE id = NEW.account FOR SHARE;
    IF held.status <> NEW.account_status OR held.kind <> NEW.account_kind OR held.bound <> NEW.account_bound THEN
        UPDATE memberships SET account_status = held.status, account_kind = held.kind, account_bound = held.bound
            WHERE account = NEW.account AND organization = NEW.organization;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER memberships_account AFTER INSERT ON memberships FOR EACH ROW EXECUTE FUNCTION memberships_account();
CREATE FUNCTION accounts_memberships() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE memberships SET account_status = NEW.status, account_kind = NEW.kind,
        account_bound = CASE WHEN NEW.connection IS NULL THEN 0 ELSE 1 END WHERE account = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER accounts_memberships AFTER UPDATE OF status, kind, connection ON accounts FOR EACH ROW
    WHEN (NEW.status <> OLD.status OR NEW.kind <> OLD.kind OR NEW.connection IS DISTINCT FROM OLD.connection) EXECUTE FUNCTION accounts_memberships();
{end}
