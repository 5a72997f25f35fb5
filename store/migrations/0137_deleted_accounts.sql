-- Whether an account is deleted, in a column of its own. A condition of an index that speaks of the state has every change of the state write
-- the entry anew, though only deletion decides whether it stands there: to deactivate somebody wrote all entries of the account. Kept by triggers,
-- so that nothing that writes accounts can forget it.
ALTER TABLE accounts ADD COLUMN deleted BIGINT NOT NULL DEFAULT 0;
UPDATE accounts SET deleted = 1 WHERE status = 'deleted';
{sqlite}
CREATE TRIGGER accounts_deleted_insert AFTER INSERT ON accounts WHEN (NEW.status = 'deleted') <> NEW.deleted BEGIN
    UPDATE accounts SET deleted = NEW.status = 'deleted' WHERE id = NEW.id;
END;
CREATE TRIGGER accounts_deleted_update AFTER UPDATE OF status ON accounts WHEN (NEW.status = 'deleted') <> NEW.deleted BEGIN
    UPDATE accounts SET deleted = NEW.status = 'deleted' WHERE id = NEW.id;
END;
{end}
{postgres}
CREATE FUNCTION accounts_deleted() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    NEW.deleted := CASE WHEN NEW.status = 'deleted' THEN 1 ELSE 0 END;
    RETURN NEW;
END $$;
CREATE TRIGGER accounts_deleted BEFORE INSERT OR UPDATE OF status ON accounts FOR EACH ROW
    WHEN ((NEW.status = 'deleted') <> (NEW.deleted = 1)) EXECUTE FUNCTION accounts_deleted();
{end}
DROP INDEX accounts_standard_email;
CREATE UNIQUE INDEX accounts_standard_email ON accounts (email_key) WHERE connection IS NULL AND deleted = 0;
DROP INDEX accounts_sso_email;
CREATE UNIQUE INDEX accounts_sso_email ON accounts (connection, email_key) WHERE connection IS NOT NULL AND deleted = 0;
DROP INDEX accounts_external_id;
CREATE UNIQUE INDEX accounts_external_id ON accounts (connection, external_id) WHERE connection IS NOT NULL AND deleted = 0;
DROP INDEX accounts_user_name;
CREATE UNIQUE INDEX accounts_user_name ON accounts (connection, user_name_key) WHERE connection IS NOT NULL AND deleted = 0;
DROP INDEX accounts_ordinal;
CREATE INDEX accounts_ordinal ON accounts (connection, ordinal, id) WHERE connection IS NOT NULL AND deleted = 0;
DROP INDEX accounts_leavers_user_name;
CREATE INDEX accounts_leavers_user_name ON accounts (connection, user_name_key) WHERE connection IS NOT NULL AND deleted = 1;
DROP INDEX accounts_leavers_external_id;
CREATE INDEX accounts_leavers_external_id ON accounts (connection, external_id) WHERE connection IS NOT NULL AND deleted = 1;
DROP INDEX accounts_given_name;
CREATE INDEX accounts_given_name ON accounts (connection, given_name_key{binary}) WHERE connection IS NOT NULL AND deleted = 0;
DROP INDEX accounts_family_name;
CREATE INDEX accounts_family_name ON accounts (connection, family_name_key{binary}) WHERE connection IS NOT NULL AND deleted = 0;
DROP INDEX accounts_display_name;
CREATE INDEX accounts_display_name ON accounts (connection, display_name_key{binary}) WHERE connection IS NOT NULL AND deleted = 0;
DROP INDEX accounts_domain;
{sqlite}
CREATE INDEX accounts_domain ON accounts (substr(email_key, instr(email_key, '@') + 1), id) WHERE deleted = 0;
{end}
{postgres}
CREATE INDEX accounts_domain ON accounts (split_part(email_key, '@', 2), id) WHERE deleted = 0;
DROP INDEX accounts_user_name_range;
CREATE INDEX accounts_user_name_range ON accounts (connection, user_name_key{binary}) WHERE connection IS NOT NULL AND deleted = 0;
-- A changed row that finds room beside the old one leaves the indexes as they are.
ALTER TABLE accounts SET (fillfactor = 80);
{end}
-- The few accounts in another state than active, by state: in a table of its own for the same reason. Kept by triggers as well; not part of
-- a backup.
DROP INDEX accounts_status;
CREATE TABLE account_states (account TEXT NOT NULL PRIMARY KEY, status TEXT NOT NULL);
CREATE INDEX account_states_status ON account_states (status, account);
INSERT INTO account_states (account, status) SELECT id, status FROM accounts WHERE status <> 'active';
{sqlite}
CREATE TRIGGER accounts_states_insert AFTER INSERT ON accounts WHEN NEW.status <> 'active' BEGIN
    INSERT INTO account_states (account, status) VALUES (NEW.id, NEW.status);
END;
CREATE TRIGGER accounts_states_update AFTER UPDATE OF status ON accounts WHEN NEW.status <> OLD.status BEGIN
    DELETE FROM account_states WHERE account = NEW.id;
    INSERT INTO account_states (account, status) SELECT NEW.id, NEW.status WHERE NEW.status <> 'active';
END;
CREATE TRIGGER accounts_states_delete AFTER DELETE ON accounts WHEN OLD.status <> 'active' BEGIN
    DELETE FROM account_states WHERE account = OLD.id;
END;
{end}
{postgres}
CREATE FUNCTION accounts_states() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.status <> 'active' THEN
        DELETE FROM account_states WHERE account = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.status <> 'active' THEN
        INSERT INTO account_states (account, status) VALUES (NEW.id, NEW.status);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER accounts_states_insert AFTER INSERT ON accounts FOR EACH ROW WHEN (NEW.status <> 'active') EXECUTE FUNCTION accounts_states();
CREATE TRIGGER accounts_states_update AFTER UPDATE OF status ON accounts FOR EACH ROW WHEN (NEW.status <> OLD.status)
    EXECUTE FUNCTION accounts_states();
CREATE TRIGGER accounts_states_delete AFTER DELETE ON accounts FOR EACH ROW WHEN (OLD.status <> 'active') EXECUTE FUNCTION accounts_states();
{end}
