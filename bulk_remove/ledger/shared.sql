-- State that several hosts share, on PostgreSQL: who works on what, what the ledgers of approved runs say, and which
-- requests left. All times are this server's clock. No lock is tied to a connection: a lease that is not renewed ends.

CREATE SCHEMA bulk_remove;
SET LOCAL search_path = bulk_remove;

CREATE TABLE setting (
    one      integer PRIMARY KEY CHECK (one = 1),
    version  integer NOT NULL,
    database uuid NOT NULL DEFAULT gen_random_uuid(),   -- tells this database from another one
    lease_s  double precision NOT NULL DEFAULT 15       -- how long a host may be silent until another one takes over
);
INSERT INTO setting (one, version) VALUES (1, 1);

CREATE SEQUENCE token;                                  -- fencing tokens: each lease that is taken has a higher one
CREATE TABLE lease (
    name   text PRIMARY KEY,                            -- campaign:HOST/ID, run:ID, or inbox:DIGEST
    token  bigint NOT NULL,
    until  timestamptz NOT NULL,
    holder text NOT NULL                                -- host and process, for people
);

CREATE TABLE run (
    id     text PRIMARY KEY,
    format integer NOT NULL,                            -- of its ledger
    marks  text[] NOT NULL DEFAULT '{}'                 -- concluded, abandoned
);
CREATE TABLE log (                                      -- what makes a run's ledger, in order
    run  text NOT NULL REFERENCES run ON DELETE CASCADE,
    seq  bigint NOT NULL,
    body bytea NOT NULL,                                -- statements and their values: JSON, compressed with Zstandard
    PRIMARY KEY (run, seq)
);
ALTER TABLE log ALTER body SET STORAGE EXTERNAL;

CREATE TABLE host (name text PRIMARY KEY, learned text NOT NULL);  -- the pace that earlier runs learned, JSON

CREATE TABLE present (                                  -- who sends for an account, and asked lately
    account  text NOT NULL,                             -- a digest of server and API user
    holder   text NOT NULL,                             -- host and process
    ceiling  double precision NOT NULL,                 -- requests a second
    asked_at timestamptz NOT NULL,
    PRIMARY KEY (account, holder)
);
CREATE TABLE departure (                                -- requests that left just now, or may leave
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    at      timestamptz NOT NULL
);
CREATE INDEX departure_at ON departure (account, at);

-- Takes all of these leases or none. Returns them with their tokens; else those that others hold, without a token.
CREATE FUNCTION take(wanted text[], who text)
RETURNS TABLE (name text, token bigint, until timestamptz, holder text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO bulk_remove.lease SELECT each, 0, '-infinity', '' FROM unnest(wanted) AS each ORDER BY each
        ON CONFLICT DO NOTHING;
    PERFORM FROM bulk_remove.lease WHERE name = ANY (wanted) ORDER BY name FOR UPDATE;
    RETURN QUERY SELECT name, NULL::bigint, until, holder FROM bulk_remove.lease
        WHERE name = ANY (wanted) AND until >= clock_timestamp();
    IF FOUND THEN RETURN; END IF;
    RETURN QUERY UPDATE bulk_remove.lease SET token = nextval('bulk_remove.token'), holder = who,
            until = clock_timestamp() + make_interval(secs => (SELECT lease_s FROM bulk_remove.setting))
        WHERE name = ANY (wanted) RETURNING name, token, until, holder;
END $$;

-- Renews leases, {name: token}; false where one of them is not held with its token any more.
CREATE FUNCTION renew(held jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE renewed integer;
BEGIN
    PERFORM FROM bulk_remove.lease WHERE name IN (SELECT jsonb_object_keys(held)) ORDER BY name FOR UPDATE;
    UPDATE bulk_remove.lease SET until = clock_timestamp() + make_interval(secs => (SELECT lease_s FROM bulk_remove.setting))
        FROM jsonb_each_text(held) AS mine WHERE name = mine.key AND token = mine.value::bigint;
    GET DIAGNOSTICS renewed = ROW_COUNT;
    RETURN renewed = (SELECT count(*) FROM jsonb_object_keys(held));
END $$;

-- Gives leases back.
CREATE FUNCTION release(held jsonb) RETURNS void LANGUAGE sql AS $$
    DELETE FROM bulk_remove.lease USING jsonb_each_text(held) AS mine WHERE name = mine.key AND token = mine.value::bigint
$$;

-- Grants departures that may leave now: up to `most` while nobody else asks for the account, else one; or says how long
-- to wait. The lowest ceiling counts for all. `unused` are grants given back. A window is longer by `slack_s`, for a
-- grant may be used that late.
CREATE FUNCTION depart(of_account text, who text, own_ceiling double precision, most integer,
                       slack_s double precision, unused bigint[])
RETURNS TABLE (granted bigint[], wait_s double precision) LANGUAGE plpgsql AS $$
DECLARE
    now_at timestamptz;
    lowest double precision;
    free integer;
    length interval;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(of_account, 17));  -- one at a time; it ends with this statement
    now_at := clock_timestamp();
    INSERT INTO bulk_remove.present VALUES (of_account, who, own_ceiling, now_at)
        ON CONFLICT (account, holder) DO UPDATE SET ceiling = excluded.ceiling, asked_at = excluded.asked_at
        WHERE present.ceiling <> excluded.ceiling OR present.asked_at < now_at - interval '0.5 s';
    DELETE FROM bulk_remove.present WHERE account = of_account AND abs(extract(epoch FROM now_at - asked_at)) > 10;
    SELECT min(ceiling), CASE count(*) WHEN 1 THEN most ELSE 1 END INTO lowest, free
        FROM bulk_remove.present WHERE account = of_account;
    length := make_interval(secs => ceil(lowest) / lowest + slack_s);
    DELETE FROM bulk_remove.departure WHERE account = of_account AND (at <= now_at - length OR at > now_at + length);
    DELETE FROM bulk_remove.departure WHERE id = ANY (unused);
    SELECT least(free, ceil(lowest) - count(*)), greatest(0.001, extract(epoch FROM min(at) + length - now_at))
        INTO free, wait_s FROM bulk_remove.departure WHERE account = of_account;
    WITH made AS (
        INSERT INTO bulk_remove.departure (account, at) SELECT of_account, now_at FROM generate_series(1, free) RETURNING id
    ) SELECT coalesce(array_agg(id), '{}') INTO granted FROM made;
    wait_s := CASE WHEN granted = '{}' THEN wait_s ELSE 0 END;
    RETURN NEXT;
END $$;
