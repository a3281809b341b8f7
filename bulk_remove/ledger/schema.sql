-- The ledger of one run: the plan, the requests, the verdicts.
-- Times are Unix seconds (REAL). Phases are the letters in core/lifecycle.py.
-- The table `proof` has digests of the other tables (ledger/proof.py).
-- SQLite keeps the text of each statement, and `verify` compares it with this file. So a change of a statement, or of a
-- comment inside one, needs a new SCHEMA_VERSION.

CREATE TABLE run (
    one           INTEGER PRIMARY KEY CHECK (one = 1),  -- a ledger holds one run
    run_id        TEXT NOT NULL,
    tool_version  TEXT NOT NULL,
    created_at_s  REAL NOT NULL,
    request       TEXT NOT NULL,                        -- JSON: settings, server, user, output; no secret
    plan          TEXT,                                 -- JSON: the plan's counts; NULL until the plan is complete
    approved_by   TEXT                                  -- how the plan was approved; NULL: nothing may be sent
) STRICT;

CREATE TABLE session (                                  -- one time of sending: the run itself, then each resume
    session_no    INTEGER PRIMARY KEY,
    began_at_s    REAL NOT NULL,
    ended_at_s    REAL,                                 -- NULL: under way, or killed
    ending        TEXT,                                 -- why it ended
    settings      TEXT NOT NULL,                        -- JSON: what it was told; a resume may have another ceiling
    first_attempt INTEGER NOT NULL                      -- its attempts are those from this one on
) STRICT;

CREATE TABLE canary (                                   -- what is sent alone, before the rest of the run
    one           INTEGER PRIMARY KEY CHECK (one = 1),  -- a run has one canary, or none
    first_ordinal INTEGER NOT NULL,                     -- its numbers are those between these that were open at first
    last_ordinal  INTEGER NOT NULL,
    planned       INTEGER NOT NULL CHECK (planned IN (0, 1)),  -- whether it is a planned chunk; else stragglers
    passed        INTEGER NOT NULL CHECK (passed IN (0, 1))    -- whether the rest may be sent
) STRICT;

CREATE TABLE record_count (                             -- how many records the server counted in a campaign
    campaign TEXT PRIMARY KEY,
    before   INTEGER,                                   -- before the run's first request; NULL: not known
    after    INTEGER,                                   -- after the last request of the latest session; NULL: not known
    note     TEXT NOT NULL                              -- why a count is not known
) STRICT;

CREATE TABLE fastest (                                  -- the fastest reply with verdicts: what a refusal is held against
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    us      INTEGER NOT NULL,                           -- microseconds until its head was there
    replies INTEGER NOT NULL,                           -- how many were seen; more than a few are not counted
    each_ns INTEGER NOT NULL                            -- the fastest for each number of a request, nanoseconds
) STRICT;

CREATE TABLE proof (                                    -- what the tables held, and which files of a report were written
    no   INTEGER PRIMARY KEY,                           -- from 1, without a gap
    said TEXT NOT NULL,                                 -- JSON: the digest of each table; or where a file was put, its SHA-256
    link TEXT NOT NULL                                  -- SHA-256 (hex) over the link before it and over what it says
) STRICT;

CREATE TABLE source (
    source_no  INTEGER PRIMARY KEY,                     -- in the order of the command line
    properties TEXT NOT NULL                            -- JSON: file, sheet, header, column, encoding, SHA-256 ...
) STRICT;

CREATE TABLE block (                                    -- some thousands of input rows, so that no row costs a row here
    block_no  INTEGER PRIMARY KEY,
    source_no INTEGER NOT NULL REFERENCES source,
    numbers   TEXT NOT NULL,                            -- one a line, empty where a row has none
    campaigns TEXT NOT NULL,                            -- the campaign of all rows; or one a line, empty like numbers
    contents  BLOB NOT NULL                             -- JSON columns: row numbers, cells, problems, others
) STRICT;

CREATE TABLE duplicate (                                -- rows whose number stands in an earlier row
    seq       INTEGER PRIMARY KEY,                      -- the row's place in the whole input, from 0
    first_seq INTEGER NOT NULL                          -- the place of the first row with this number
) STRICT;

CREATE TABLE chunk (
    chunk_id      INTEGER PRIMARY KEY,
    campaign      TEXT NOT NULL,
    numbers       TEXT NOT NULL,                        -- one a line, in the order sent and as sent
    first_ordinal INTEGER,                              -- of a planned chunk: its numbers' ordinals are consecutive
    ordinals      TEXT,                                 -- of a chunk packed later: JSON list of its numbers' places
    states        BLOB,                                 -- of a planned chunk: JSON columns, a state a number after its last attempt
    progress      TEXT NOT NULL CHECK (progress IN ('open', 'settled')),
    CHECK ((first_ordinal IS NULL) <> (ordinals IS NULL))
) STRICT;
CREATE UNIQUE INDEX chunk_planned ON chunk (campaign, first_ordinal)  -- the order of the report
    WHERE first_ordinal IS NOT NULL;
CREATE INDEX chunk_open ON chunk (chunk_id) WHERE progress = 'open';

CREATE TABLE attempt (                                  -- one request for a chunk; written before the first byte goes out
    attempt_id   INTEGER PRIMARY KEY,
    chunk_id     INTEGER NOT NULL REFERENCES chunk,
    begun_at_s   REAL NOT NULL,
    ended_at_s   REAL,                                  -- NULL: no answer yet, or the process died waiting for it
    result       TEXT,                                  -- 'verdicts', the kind of the fault, or 'not sent'
    request_id   TEXT NOT NULL DEFAULT '',              -- the server's, of a fault
    strangers    INTEGER NOT NULL DEFAULT 0,            -- numbers in the reply that were not asked for
    unasked      TEXT                                   -- JSON: those of them that it says were removed; NULL: none
) STRICT;

CREATE TABLE straggler (                                -- a number that its planned chunk did not settle; newer than the
    ordinal  INTEGER PRIMARY KEY,                       -- state in that chunk. Place among the campaign's distinct numbers,
    campaign TEXT NOT NULL,                             -- from 2^40 times the campaign's place in the run
    number   TEXT NOT NULL,                             -- in the form in which it is, or was last, asked for
    form     INTEGER NOT NULL DEFAULT 0,                -- 0 the planned form, else its place among those also tried
    state    TEXT NOT NULL,                             -- JSON: the number's state
    due_at_s REAL,                                      -- when to ask again; NULL: not waiting
    chunk_id INTEGER REFERENCES chunk                   -- the chunk that carries it now
) STRICT;
CREATE INDEX straggler_due ON straggler (due_at_s, ordinal) WHERE due_at_s IS NOT NULL;
CREATE INDEX straggler_alike ON straggler (campaign, form, due_at_s, ordinal) WHERE due_at_s IS NOT NULL;
