-- Who changed a connection last, without reading what else its organization's log says.
CREATE INDEX audit_connection_changes ON audit (organization, connection, sequence) WHERE kind = 'connection.updated';
