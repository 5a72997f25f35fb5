-- What memberships repeat of their account, each by a trigger of its own on SQLite: a state that changes no longer writes the entries of
-- kind and connection anew in the indexes of both.
{sqlite}
DROP TRIGGER accounts_memberships;
CREATE TRIGGER accounts_memberships_status AFTER UPDATE OF status ON accounts WHEN NEW.status <> OLD.status BEGIN
    UPDATE memberships SET account_status = NEW.status WHERE account = NEW.id;
END;
CREATE TRIGGER accounts_memberships_kind AFTER UPDATE OF kind ON accounts WHEN NEW.kind <> OLD.kind BEGIN
    UPDATE memberships SET account_kind = NEW.kind WHERE account = NEW.id;
END;
CREATE TRIGGER accounts_memberships_bound AFTER UPDATE OF connection ON accounts
WHEN (NEW.connection IS NULL) <> (OLD.connection IS NULL) BEGIN
    UPDATE memberships SET account_bound = NEW.connection IS NOT NULL WHERE account = NEW.id;
END;
{end}
