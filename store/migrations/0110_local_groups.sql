-- Groups that an organization keeps by hand. `held` is what memberships of its members know of it (JSON). A group that is being
-- deleted is there until everybody is taken out, and has given its name free.
CREATE TABLE local_groups (
    id TEXT NOT NULL PRIMARY KEY, organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name_key TEXT NOT NULL, description TEXT NOT NULL, held TEXT NOT NULL, run TEXT, going BIGINT NOT NULL,
    version BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL);
CREATE UNIQUE INDEX local_groups_name ON local_groups (organization, name_key) WHERE going = 0;

-- Whoever leaves the organization leaves its groups.
CREATE TABLE local_group_members (
    local_group TEXT NOT NULL REFERENCES local_groups (id) ON DELETE CASCADE, account TEXT NOT NULL, organization TEXT NOT NULL,
    PRIMARY KEY (local_group, account),
    FOREIGN KEY (account, organization) REFERENCES memberships (account, organization) ON DELETE CASCADE);
CREATE INDEX local_group_members_account ON local_group_members (account, organization);
