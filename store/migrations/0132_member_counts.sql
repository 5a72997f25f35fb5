-- How many members organizations and their local groups have, so that no page counts them. Kept by triggers, so that nothing that
-- writes members can forget it; not part of a backup. The shard keeps writers out of each other's way.
CREATE TABLE member_counts (
    organization TEXT NOT NULL, shard BIGINT NOT NULL, members BIGINT NOT NULL, PRIMARY KEY (organization, shard));
INSERT INTO member_counts (organization, shard, members)
    SELECT organization, 0, COUNT(*) FROM memberships GROUP BY organization;
CREATE TABLE local_group_counts (
    local_group TEXT NOT NULL, shard BIGINT NOT NULL, members BIGINT NOT NULL, PRIMARY KEY (local_group, shard));
INSERT INTO local_group_counts (local_group, shard, members)
    SELECT local_group, 0, COUNT(*) FROM local_group_members GROUP BY local_group;
{sqlite}
CREATE TRIGGER memberships_count_insert AFTER INSERT ON memberships BEGIN
    INSERT INTO member_counts (organization, shard, members) VALUES (NEW.organization, 0, 1)
        ON CONFLICT (organization, shard) DO UPDATE SET members = member_counts.members + 1;
END;
CREATE TRIGGER memberships_count_delete AFTER DELETE ON memberships BEGIN
    UPDATE member_counts SET members = members - 1 WHERE organization = OLD.organization AND shard = 0;
END;
CREATE TRIGGER organizations_count_delete AFTER DELETE ON organizations BEGIN
    DELETE FROM member_counts WHERE organization = OLD.id;
END;
CREATE TRIGGER local_group_members_count_insert AFTER INSERT ON local_group_members BEGIN
    INSERT INTO local_group_counts (local_group, shard, members) VALUES (NEW.local_group, 0, 1)
        ON CONFLICT (local_group, shard) DO UPDATE SET members = local_group_counts.members + 1;
END;
CREATE TRIGGER local_group_members_count_delete AFTER DELETE ON local_group_members BEGIN
    UPDATE local_group_counts SET members = members - 1 WHERE local_group = OLD.local_group AND shard = 0;
END;
CREATE TRIGGER local_groups_count_delete AFTER DELETE ON local_groups BEGIN
    DELETE FROM local_group_counts WHERE local_group = OLD.id;
END;
{end}
{postgres}
-- Somebody may leave in another shard than they came in; only the sum says anything. Who goes with the organization or the group is
-- not counted: its counts go too.
CREATE FUNCTION memberships_count() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO member_counts (organization, shard, members) VALUES (NEW.organization, pg_backend_pid() % 64, 1)
            ON CONFLICT (organization, shard) DO UPDATE SET members = member_counts.members + 1;
    ELSIF EXISTS (SELECT 1 FROM organizations WHERE id = OLD.organization) THEN
        INSERT INTO member_counts (organization, shard, members) VALUES (OLD.organization, pg_backend_pid() % 64, -1)
            ON CONFLICT (organization, shard) DO UPDATE SET members = member_counts.members - 1;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER memberships_count AFTER INSERT OR DELETE ON memberships FOR EACH ROW EXECUTE FUNCTION memberships_count();
CREATE FUNCTION organizations_count() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM member_counts WHERE organization = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER organizations_count AFTER DELETE ON organizations FOR EACH ROW EXECUTE FUNCTION organizations_count();
CREATE FUNCTION local_group_members_count() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO local_group_counts (local_group, shard, members) VALUES (NEW.local_group, pg_backend_pid() % 64, 1)
            ON CONFLICT (local_group, shard) DO UPDATE SET members = local_group_counts.members + 1;
    ELSIF EXISTS (SELECT 1 FROM local_groups WHERE id = OLD.local_group) THEN
        INSERT INTO local_group_counts (local_group, shard, members) VALUES (OLD.local_group, pg_backend_pid() % 64, -1)
            ON CONFLICT (local_group, shard) DO UPDATE SET members = local_group_counts.members - 1;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER local_group_members_count AFTER INSERT OR DELETE ON local_group_members FOR EACH ROW
    EXECUTE FUNCTION local_group_members_count();
CREATE FUNCTION local_groups_count() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM local_group_counts WHERE local_group = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER local_groups_count AFTER DELETE ON local_groups FOR EACH ROW EXECUTE FUNCTION local_groups_count();
{end}
