-- Who has not signed in for long, found without looking at those who have.
CREATE INDEX last_claims_seen ON last_claims (connection, at, account);
