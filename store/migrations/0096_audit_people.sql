-- What a log says about a person, in the order of the log, without looking at what it says about others.
DROP INDEX audit_account;
CREATE INDEX audit_account ON audit (organization, account, sequence);
