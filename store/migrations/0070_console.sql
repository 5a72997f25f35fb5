-- What the console's search for people looks in, so that it costs the same whatever the number of people.
CREATE INDEX accounts_given_name_begins ON accounts (lower(given_name){binary}) WHERE given_name IS NOT NULL;
CREATE INDEX accounts_family_name_begins ON accounts (lower(family_name){binary}) WHERE family_name IS NOT NULL;
{postgres}
CREATE INDEX accounts_email_key ON accounts (email_key{binary}) WHERE email_key IS NOT NULL;
{end}
