-- Who took, gave back and waited for seats, and when (R-179).
CREATE TABLE seat_events (
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    at BIGINT NOT NULL, account TEXT NOT NULL, license TEXT NOT NULL, what TEXT NOT NULL,
    actor TEXT NOT NULL, trace TEXT NOT NULL,
    PRIMARY KEY (organization, at, account, license, what));
CREATE INDEX seat_events_license ON seat_events (organization, license, at);
