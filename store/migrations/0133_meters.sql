-- What meters count, in the order in which they count it, so that no row is looked up for it.
CREATE INDEX memberships_meters ON memberships (organization, license, account_kind, license_seated, active, account_status);
-- The few who open an organization when its provider is down.
CREATE INDEX accounts_emergency ON accounts (id) WHERE emergency_admin = 1;
-- What happened through a connection, in the order of the log.
CREATE INDEX audit_connection ON audit (organization, connection, sequence) WHERE connection IS NOT NULL;
