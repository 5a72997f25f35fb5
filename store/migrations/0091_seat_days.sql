-- Seats by day (since 1970, in UTC), pool and kind of account, written when something differs from the day before; an empty pool
-- stands for all pools together (R-179).
CREATE TABLE seat_days (
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    license TEXT NOT NULL, kind TEXT NOT NULL, day BIGINT NOT NULL,
    used BIGINT NOT NULL, most BIGINT NOT NULL, waiting BIGINT NOT NULL, seats BIGINT,
    PRIMARY KEY (organization, license, kind, day));
