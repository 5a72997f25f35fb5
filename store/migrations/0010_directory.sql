-- What directories push: documents of people, groups, and what finding and paging through them costs little with.
-- Names ending in `_key` hold the text in lower case, made by the program, because the engines fold differently.

-- The place in the order of creation within the connection: the fixed order of pages. Not unique; the id breaks ties.
ALTER TABLE accounts ADD COLUMN ordinal BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN given_name_key TEXT;
ALTER TABLE accounts ADD COLUMN family_name_key TEXT;
ALTER TABLE accounts ADD COLUMN display_name_key TEXT;
UPDATE accounts SET given_name_key = lower(given_name), family_name_key = lower(family_name),
    display_name_key = lower(display_name), ordinal = places.place
    FROM (SELECT id AS account, ROW_NUMBER() OVER (PARTITION BY connection ORDER BY created_at, id) AS place
        FROM accounts) places
    WHERE places.account = accounts.id;
CREATE INDEX accounts_ordinal ON accounts (connection, ordinal, id) WHERE connection IS NOT NULL AND status <> 'deleted';
-- Who left, so that a person who comes back gets the same account.
CREATE INDEX accounts_leavers_user_name ON accounts (connection, user_name_key)
    WHERE connection IS NOT NULL AND status = 'deleted';
CREATE INDEX accounts_leavers_external_id ON accounts (connection, external_id)
    WHERE connection IS NOT NULL AND status = 'deleted';

-- The document as pushed, kept apart so that a sign-in never reads it. `search` is the same in the form that is searched.
CREATE TABLE account_documents (
    account TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE, document TEXT NOT NULL,
    search TEXT NOT NULL, email_key TEXT, manager_key TEXT);
CREATE INDEX account_documents_email ON account_documents (email_key) WHERE email_key IS NOT NULL;
CREATE INDEX account_documents_manager ON account_documents (manager_key) WHERE manager_key IS NOT NULL;
-- Addresses of a document beyond the first, which is `account_documents.email_key`.
CREATE TABLE account_emails (
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE, email_key TEXT NOT NULL,
    PRIMARY KEY (account, email_key));
CREATE INDEX account_emails_key ON account_emails (email_key);

-- How many listed accounts (bound to a connection, not deleted) there are in each span of 512 ordinals, and how many of
-- them are active: totals, deep pages and the guard against mass deactivation need no counting. Kept by triggers, so
-- nothing that writes accounts can forget it; not part of a backup. The shard keeps writers of one connection out of each
-- other's way.
CREATE TABLE directory_ranks (
    connection TEXT NOT NULL, bucket BIGINT NOT NULL, shard BIGINT NOT NULL, entries BIGINT NOT NULL,
    active BIGINT NOT NULL, PRIMARY KEY (connection, bucket, shard));
INSERT INTO directory_ranks (connection, bucket, shard, entries, active)
    SELECT connection, ordinal / 512, 0, COUNT(*), SUM(CASE WHEN status = 'active' THEN 1 ELSE 0 END) FROM accounts
    WHERE connection IS NOT NULL AND status <> 'deleted' GROUP BY connection, ordinal / 512;
{sqlite}
CREATE TRIGGER accounts_ranks_insert AFTER INSERT ON accounts
WHEN NEW.connection IS NOT NULL AND NEW.status <> 'deleted' BEGIN
    INSERT INTO directory_ranks (connection, bucket, shard, entries, active)
        VALUES (NEW.connection, NEW.ordinal / 512, 0, 1, NEW.status = 'active')
        ON CONFLICT (connection, bucket, shard) DO UPDATE SET entries = directory_ranks.entries + 1,
        active = directory_ranks.active + excluded.active;
END;
CREATE TRIGGER accounts_ranks_delete AFTER DELETE ON accounts
WHEN OLD.connection IS NOT NULL AND OLD.status <> 'deleted' BEGIN
    UPDATE directory_ranks SET entries = entries - 1, active = active - (OLD.status = 'active')
        WHERE connection = OLD.connection AND bucket = OLD.ordinal / 512 AND shard = 0;
END;
CREATE TRIGGER accounts_ranks_update AFTER UPDATE OF connection, status, ordinal ON accounts
WHEN NEW.connection IS NOT OLD.connection OR NEW.ordinal / 512 <> OLD.ordinal / 512 OR NEW.status <> OLD.status BEGIN
    UPDATE directory_ranks SET entries = entries - 1, active = active - (OLD.status = 'active')
        WHERE OLD.status <> 'deleted'
        AND connection = OLD.connection AND bucket = OLD.ordinal / 512 AND shard = 0;
    INSERT INTO directory_ranks (connection, bucket, shard, entries, active)
        SELECT NEW.connection, NEW.ordinal / 512, 0, 1, NEW.status = 'active'
        WHERE NEW.connection IS NOT NULL AND NEW.status <> 'deleted'
        ON CONFLICT (connection, bucket, shard) DO UPDATE SET entries = directory_ranks.entries + 1,
        active = directory_ranks.active + excluded.active;
END;
{end}
{postgres}
CREATE FUNCTION directory_rank(of_connection TEXT, of_ordinal BIGINT, of_status TEXT, more BIGINT) RETURNS VOID
LANGUAGE sql AS $$
    INSERT INTO directory_ranks (connection, bucket, shard, entries, active)
        VALUES (of_connection, of_ordinal / 512, pg_backend_pid() % 64, more,
            CASE WHEN of_status = 'active' THEN more ELSE 0 END)
        ON CONFLICT (connection, bucket, shard) DO UPDATE SET entries = directory_ranks.entries + excluded.entries,
        active = directory_ranks.active + excluded.active
$$;
CREATE FUNCTION accounts_ranks() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.connection IS NOT NULL AND OLD.status <> 'deleted' THEN
        PERFORM directory_rank(OLD.connection, OLD.ordinal, OLD.status, -1);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.connection IS NOT NULL AND NEW.status <> 'deleted' THEN
        PERFORM directory_rank(NEW.connection, NEW.ordinal, NEW.status, 1);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER accounts_ranks_insert AFTER INSERT OR DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION accounts_ranks();
CREATE TRIGGER accounts_ranks_update AFTER UPDATE OF connection, status, ordinal ON accounts FOR EACH ROW
    WHEN (NEW.connection IS DISTINCT FROM OLD.connection OR NEW.ordinal / 512 <> OLD.ordinal / 512
        OR NEW.status <> OLD.status) EXECUTE FUNCTION accounts_ranks();
{end}

ALTER TABLE groups RENAME COLUMN attributes TO document;
ALTER TABLE groups ADD COLUMN name_key TEXT NOT NULL DEFAULT '';
ALTER TABLE groups ADD COLUMN search TEXT NOT NULL DEFAULT '{}';
ALTER TABLE groups ADD COLUMN ordinal BIGINT NOT NULL DEFAULT 0;
UPDATE groups SET name_key = lower(name);
DROP INDEX groups_name;
CREATE UNIQUE INDEX groups_name ON groups (connection, name_key);
CREATE INDEX groups_ordinal ON groups (connection, ordinal, id);
-- Counts of changes of a group's members and of the members themselves. Part of the group's version, but in rows of
-- their own, several for each group, so that writers of one large group do not wait for each other.
CREATE TABLE group_stamps (
    group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE, shard BIGINT NOT NULL, changes BIGINT NOT NULL,
    members BIGINT NOT NULL, changed_at BIGINT NOT NULL, PRIMARY KEY (group_id, shard));
