-- Who has an address in a domain, in the order of accounts: whoever of them is outside of the organization is found by walking
-- this list and that of the members side by side.
{sqlite}
CREATE INDEX accounts_domain ON accounts (substr(email_key, instr(email_key, '@') + 1), id) WHERE status <> 'deleted';
{end}
{postgres}
CREATE INDEX accounts_domain ON accounts (split_part(email_key, '@', 2), id) WHERE status <> 'deleted';
{end}
