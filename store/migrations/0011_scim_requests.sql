-- The log of requests to the SCIM addresses, and what has been counted of it. Neither refers to other tables, so that
-- it outlives what it tells about. `connection` is empty for an address of no connection.

CREATE TABLE scim_requests (
    id TEXT NOT NULL PRIMARY KEY, connection TEXT NOT NULL, at BIGINT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    path_key TEXT NOT NULL, version TEXT NOT NULL, action TEXT NOT NULL, target TEXT, token TEXT, status BIGINT NOT NULL,
    outcome TEXT NOT NULL, code TEXT, detail TEXT, duration_us BIGINT NOT NULL, remote TEXT, user_agent TEXT,
    trace TEXT, request TEXT, response TEXT);
CREATE INDEX scim_requests_connection ON scim_requests (connection, at, id);
CREATE INDEX scim_requests_target ON scim_requests (target, at) WHERE target IS NOT NULL;
CREATE INDEX scim_requests_at ON scim_requests (at);

-- Requests of each hour, counted when the log is written: whether a directory fell silent or fails more and more.
CREATE TABLE scim_traffic (
    connection TEXT NOT NULL, hour BIGINT NOT NULL, requests BIGINT NOT NULL, failures BIGINT NOT NULL,
    refusals BIGINT NOT NULL, last_at BIGINT NOT NULL, last_success_at BIGINT, PRIMARY KEY (connection, hour));
CREATE INDEX scim_traffic_hour ON scim_traffic (hour);

-- How many accounts a directory took away in each minute, for the guard against mass deactivation. Sharded as above.
CREATE TABLE push_counts (
    connection TEXT NOT NULL, kind TEXT NOT NULL, minute BIGINT NOT NULL, shard BIGINT NOT NULL, pushes BIGINT NOT NULL,
    PRIMARY KEY (connection, kind, minute, shard));
CREATE INDEX push_counts_minute ON push_counts (minute);
