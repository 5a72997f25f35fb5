-- Texts of documents by attribute, folded and cut: what filters such as `title eq "x"` and `department sw "x"` are looked up in.
-- Takes the place of the table that held addresses alone. A row may be for a value that was cut, so whoever looks up compares
-- again. The label `*` marks documents with too many values to list.
CREATE TABLE account_values (
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE, connection TEXT NOT NULL, label TEXT NOT NULL,
    value TEXT{binary} NOT NULL, PRIMARY KEY (account, label, value));
CREATE INDEX account_values_value ON account_values (connection, label, value);
INSERT INTO account_values (account, connection, label, value)
    SELECT x.account, b.connection, 'emails', substr(x.email_key, 1, 100) FROM account_emails x
        JOIN accounts b ON b.id = x.account AND b.connection IS NOT NULL WHERE true ON CONFLICT DO NOTHING;
{sqlite}
INSERT INTO account_values (account, connection, label, value)
    SELECT d.account, b.connection, a.key, substr(e.value ->> 'value', 2, 100)
        FROM account_documents d JOIN accounts b ON b.id = d.account AND b.connection IS NOT NULL, json_each(d.search) a, json_each(a.value) e
        WHERE a.key NOT IN ('emails', 'username', 'externalid', 'displayname', 'name')
            AND substr(e.value ->> 'value', 1, 1) = 's' ON CONFLICT DO NOTHING;
INSERT INTO account_values (account, connection, label, value)
    SELECT d.account, b.connection, 'name.' || p.key, substr(p.value, 2, 100)
        FROM account_documents d JOIN accounts b ON b.id = d.account AND b.connection IS NOT NULL, json_each(d.search, '$.name') e, json_each(e.value) p
        WHERE substr(p.value, 1, 1) = 's' AND p.key NOT LIKE '%=' ON CONFLICT DO NOTHING;
{end}
{postgres}
INSERT INTO account_values (account, connection, label, value)
    SELECT d.account, b.connection, a.key, substr(e.value ->> 'value', 2, 100)
        FROM account_documents d JOIN accounts b ON b.id = d.account AND b.connection IS NOT NULL
        CROSS JOIN jsonb_each(d.search::jsonb) a(key, value)
        CROSS JOIN jsonb_array_elements(a.value) e(value)
        WHERE a.key NOT IN ('emails', 'username', 'externalid', 'displayname', 'name')
            AND substr(e.value ->> 'value', 1, 1) = 's' ON CONFLICT DO NOTHING;
INSERT INTO account_values (account, connection, label, value)
    SELECT d.account, b.connection, 'name.' || p.key, substr(p.value, 2, 100)
        FROM account_documents d JOIN accounts b ON b.id = d.account AND b.connection IS NOT NULL
        CROSS JOIN jsonb_array_elements(d.search::jsonb -> 'name') e(value)
        CROSS JOIN jsonb_each_text(e.value) p(key, value)
        WHERE substr(p.value, 1, 1) = 's' AND p.key NOT LIKE '%=' ON CONFLICT DO NOTHING;
{end}
DROP TABLE account_emails;
-- The same for what accounts have columns for.
CREATE INDEX accounts_given_name ON accounts (connection, given_name_key{binary})
    WHERE connection IS NOT NULL AND status <> 'deleted';
CREATE INDEX accounts_family_name ON accounts (connection, family_name_key{binary})
    WHERE connection IS NOT NULL AND status <> 'deleted';
CREATE INDEX accounts_display_name ON accounts (connection, display_name_key{binary})
    WHERE connection IS NOT NULL AND status <> 'deleted';
-- The unique index on user names orders as the database's language does, which ranges of texts cannot use.
{postgres}
CREATE INDEX accounts_user_name_range ON accounts (connection, user_name_key{binary})
    WHERE connection IS NOT NULL AND status <> 'deleted';
{end}
