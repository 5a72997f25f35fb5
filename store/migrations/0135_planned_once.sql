-- What triggers do on PostgreSQL, planned once for each connection. A function in the language SQL that a trigger calls is parsed and
-- planned anew in each transaction, which cost more than what it did; statements in PL/pgSQL are kept planned.
{postgres}CREATE OR REPLACE FUNCTION accounts_ranks() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.connection IS NOT NULL AND OLD.status <> 'deleted' THEN
        INSERT INTO directory_ranks (connection, bucket, shard, entries, active)
            VALUES (OLD.connection, OLD.ordinal / 512, pg_backend_pid() % 64, -1,
                CASE WHEN OLD.status = 'active' THEN -1 ELSE 0 END)
            ON CONFLICT (connection, bucket, shard) DO UPDATE SET entries = directory_ranks.entries + excluded.entries,
            active = directory_ranks.active + excluded.active;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.connection IS NOT NULL AND NEW.status <> 'deleted' THEN
        INSERT INTO directory_ranks (connection, bucket, shard, entries, active)
            VALUES (NEW.connection, NEW.ordinal / 512, pg_backend_pid() % 64, 1,
                CASE WHEN NEW.status = 'active' THEN 1 ELSE 0 END)
            ON CONFLICT (connection, bucket, shard) DO UPDATE SET entries = directory_ranks.entries + excluded.entries,
            active = directory_ranks.active + excluded.active;
    END IF;
    RETURN NULL;
END $$;
DROP FUNCTION directory_rank(TEXT, BIGINT, TEXT, BIGINT);

CREATE OR REPLACE FUNCTION feed_flush() RETURNS TRIGGER LANGUAGE plpgsql AS $flush$
DECLARE
    note JSON := current_setting('provost.note')::JSON;
    many BIGINT := json_array_length(note -> 'events');
    newest BIGINT;
    audited RECORD;
    chain TEXT;
    place BIGINT;
    head TEXT;
    next_head TEXT;
    chains TEXT[] := '{}';
    places BIGINT[] := '{}';
    heads TEXT[] := '{}';
BEGIN
    UPDATE counters SET value = value + many WHERE name = 'events' RETURNING value INTO STRICT newest;
    INSERT INTO events (sequence, id, at, kind, account, organization, connection, trace, data)
    SELECT newest - many + e.number, 'evt_' || lpad(to_hex(newest - many + e.number), 16, '0'), e.at, e.kind, e.account,
           e.organization, e.connection, e.trace, e.data
    FROM ROWS FROM (json_to_recordset(note -> 'events') AS (at BIGINT, kind TEXT, account TEXT, organization TEXT,
                    connection TEXT, trace TEXT, data TEXT))
         WITH ORDINALITY AS e (at, kind, account, organization, connection, trace, data, number);
    -- Rows come chain by chain, each chain in the order of its events.
    FOR audited IN
        SELECT a.* FROM json_to_recordset(note -> 'audit') AS a (chain TEXT, at BIGINT, kind TEXT, actor TEXT, account TEXT,
                                                                 connection TEXT, trace TEXT, data TEXT)
    LOOP
        IF chain IS DISTINCT FROM audited.chain THEN
            chain := audited.chain;
            chains := chains || chain;
            SELECT h.sequence, h.hash INTO place, head FROM audit_heads h WHERE h.organization = chain;
            IF NOT FOUND THEN
                place := 0;
                head := '';
            END IF;
        END IF;
        place := place + 1;
        next_head := encode(sha256(
            feed_hash_part(head) || feed_hash_part(chain) || feed_hash_part(place::TEXT)
            || feed_hash_part(audited.at::TEXT) || feed_hash_part(audited.kind) || feed_hash_part(audited.actor)
            || feed_hash_part(audited.account) || feed_hash_part(audited.connection) || feed_hash_part(audited.trace)
            || feed_hash_part(audited.data)), 'hex');
        INSERT INTO audit (organization, sequence, at, kind, actor, account, connection, trace, data, previous_hash, hash)
        VALUES (chain, place, audited.at, audited.kind, audited.actor, audited.account, audited.connection, audited.trace,
                audited.data, head, next_head);
        head := next_head;
        places[cardinality(chains)] := place;
        heads[cardinality(chains)] := head;
    END LOOP;
    INSERT INTO audit_heads (organization, sequence, hash)
        SELECT h.organization, h.sequence, h.hash FROM unnest(chains, places, heads) AS h (organization, sequence, hash)
        ON CONFLICT (organization) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash;
    RETURN NULL;
END
$flush$;

DROP FUNCTION feed_set_head(TEXT, BIGINT, TEXT);{end}
