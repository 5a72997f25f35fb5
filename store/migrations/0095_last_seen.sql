-- Who has not signed in for long, found without looking at those who have; and who holds a role, in the order of lists.
CREATE INDEX last_claims_seen ON last_claims (connection, at, account);
DROP INDEX membership_roles_role;
CREATE INDEX membership_roles_role ON membership_roles (organization, role, account);
