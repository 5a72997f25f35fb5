-- The end of a transaction on PostgreSQL: one statement inserts nothing into this table, and its trigger, which runs after
-- everything else of the statement, numbers the events of the transaction and chains its rows of the audit log. They come in a
-- setting of the transaction. So the row that hands out the numbers is locked inside of that statement only, and not while an
-- answer travels. SQLite has one writer and does the same in the program; both make the same hashes.
{postgres}CREATE TABLE feed_flush (nothing BIGINT NOT NULL);

CREATE FUNCTION feed_hash_part(value TEXT) RETURNS BYTEA LANGUAGE SQL STABLE AS $part$
    SELECT int8send(octet_length(convert_to(COALESCE(value, ''), 'UTF8'))::BIGINT) || convert_to(COALESCE(value, ''), 'UTF8')
$part$;

CREATE FUNCTION feed_flush() RETURNS TRIGGER LANGUAGE plpgsql AS $flush$
DECLARE
    note JSON := current_setting('provost.note')::JSON;
    many BIGINT := json_array_length(note -> 'events');
    newest BIGINT;
    audited RECORD;
    chain TEXT;
    place BIGINT;
    head TEXT;
    next_head TEXT;
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
            IF chain IS NOT NULL THEN
                PERFORM feed_set_head(chain, place, head);
            END IF;
            chain := audited.chain;
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
    END LOOP;
    IF chain IS NOT NULL THEN
        PERFORM feed_set_head(chain, place, head);
    END IF;
    RETURN NULL;
END
$flush$;

CREATE FUNCTION feed_set_head(chain TEXT, place BIGINT, head TEXT) RETURNS VOID LANGUAGE SQL AS $head$
    INSERT INTO audit_heads (organization, sequence, hash) VALUES (chain, place, head)
    ON CONFLICT (organization) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash
$head$;

CREATE TRIGGER feed_flush AFTER INSERT ON feed_flush FOR EACH STATEMENT EXECUTE FUNCTION feed_flush();{end}
