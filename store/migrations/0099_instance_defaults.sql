-- What operators chose in the place of the configuration of a node: it holds for all nodes. The names are keys of the configuration.
CREATE TABLE instance_defaults (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL, changed_at BIGINT NOT NULL);
