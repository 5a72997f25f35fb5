-- How claims of domains stand: who vouches, what the last look-up found, when the next one is due, and which connections
-- served the domain when it was lost, so that they serve it again once it is back.
CREATE TABLE domain_claims (
    organization TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, method TEXT NOT NULL, claimed_at BIGINT NOT NULL,
    checked_at BIGINT, problem TEXT, misses BIGINT NOT NULL, failing_since BIGINT, next_at BIGINT, lapsed TEXT NOT NULL,
    PRIMARY KEY (organization, name),
    FOREIGN KEY (organization, name) REFERENCES domains (organization, name) ON DELETE CASCADE);
CREATE INDEX domain_claims_next ON domain_claims (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX domains_name ON domains (name);
INSERT INTO domain_claims (organization, name, state, method, claimed_at, misses, lapsed)
    SELECT organization, name, CASE WHEN verified_at IS NULL THEN 'pending' ELSE 'verified' END,
        CASE WHEN verified_at IS NULL THEN 'dns' ELSE 'operator' END, created_at, 0, '[]' FROM domains;
