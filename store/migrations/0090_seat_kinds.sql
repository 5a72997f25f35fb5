-- How many seats accounts of each kind hold in each organization, over all its pools, and how many they may hold (R-179).
CREATE TABLE seat_kinds (
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE, kind TEXT NOT NULL,
    seats BIGINT, used BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (organization, kind), CONSTRAINT seat_kinds_used CHECK (used >= 0));
INSERT INTO seat_kinds (organization, kind, used)
    SELECT o.id, k.kind, (SELECT COUNT(*) FROM memberships m JOIN accounts a ON a.id = m.account
        WHERE m.organization = o.id AND m.license_seated = 1 AND a.kind = k.kind)
    FROM organizations o CROSS JOIN (SELECT 'user' AS kind UNION ALL SELECT 'reader') k;
