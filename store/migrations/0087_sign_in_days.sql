-- Sign-ins counted by day where they are decided, so that no chart reads the attempts. The connection '' counts the whole
-- instance. What was decided before is counted once, here.
CREATE TABLE sign_in_days (
    connection TEXT NOT NULL, day BIGINT NOT NULL, shard BIGINT NOT NULL, admitted BIGINT NOT NULL, refused BIGINT NOT NULL,
    PRIMARY KEY (connection, day, shard));
INSERT INTO sign_in_days (connection, day, shard, admitted, refused)
    SELECT connection, at / 86400000, 0, SUM(CASE WHEN verdict = 'admitted' THEN 1 ELSE 0 END),
    SUM(CASE WHEN verdict = 'admitted' THEN 0 ELSE 1 END) FROM traces
    WHERE kind = 'sign_in' AND connection IS NOT NULL GROUP BY connection, at / 86400000;
INSERT INTO sign_in_days (connection, day, shard, admitted, refused)
    SELECT '', at / 86400000, 0, SUM(CASE WHEN verdict = 'admitted' THEN 1 ELSE 0 END),
    SUM(CASE WHEN verdict = 'admitted' THEN 0 ELSE 1 END) FROM traces
    WHERE kind IN ('sign_in', 'password_sign_in') GROUP BY at / 86400000;
