-- The database of trichat, PostgreSQL 14 and newer, encoding UTF8.
--
-- `trichat serve` applies this file to a database that does not have it. Who does not let a server make tables
-- applies it beforehand: psql -1 -v ON_ERROR_STOP=1 -f schema.sql. Names are qualified; search_path is left alone.

CREATE SCHEMA trichat;

-- One row: which version of this file was applied.
CREATE TABLE trichat.meta (
    version int NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO trichat.meta (version) VALUES (1);

-- `last_seq` changes with every message and is in no index: room on each page makes that a HOT update.
CREATE TABLE trichat.rooms (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    epoch text NOT NULL,
    last_seq bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- The logs of all rooms. One table; if it is ever partitioned, then by hash of room_id, never by time: numbers and
-- cids are unique per room for ever, and a unique index cannot cross partitions.
-- `body` is json, not jsonb: its bytes go unchanged into what clients get. `digest` is there where `cid` is.
CREATE TABLE trichat.events (
    room_id bigint NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    user_name text NOT NULL,
    ts timestamptz NOT NULL,
    cid text COLLATE "C",
    digest bigint,
    target bigint,
    rev bigint,
    body json NOT NULL,
    PRIMARY KEY (room_id, seq)
);
CREATE UNIQUE INDEX events_cid ON trichat.events (room_id, user_id, cid) WHERE cid IS NOT NULL;

-- The names that guests hold.
CREATE TABLE trichat.names (
    name_key text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    used_at timestamptz NOT NULL
);
CREATE INDEX names_user ON trichat.names (user_id);
CREATE INDEX names_used ON trichat.names (used_at);

-- What guests' tokens are signed with.
CREATE TABLE trichat.secrets (
    number int PRIMARY KEY,
    secret bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Who is there. Both tables are unlogged, and so lost together when PostgreSQL crashes or fails over: a node that
-- finds itself forgotten says everybody again. If only the presence were lost, nobody would notice.
CREATE UNLOGGED TABLE trichat.nodes (
    incarnation bigint PRIMARY KEY,
    node text NOT NULL,
    degraded boolean NOT NULL,
    seen_at timestamptz NOT NULL
);
CREATE UNLOGGED TABLE trichat.presence (
    room_id bigint NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    incarnation bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    PRIMARY KEY (room_id, user_id, incarnation)
);
CREATE INDEX presence_incarnation ON trichat.presence (incarnation);

-- Numbers and stores a batch of drafts, in the order given; the calling statement is the whole transaction.
--
-- room_ids: the rooms of the batch, each at least once. batch: an array of objects, the columns of `drafts` below.
-- patience_ms: how long to wait for a lock; who called has given up by then.
-- at: the time of the events, ms since 1970. seqs: one for each draft. outcomes: NULL when all are committed, else
-- one for each draft: 0 committed, 1 repeated, 2 cid reused with other content, 3 no such room (seq NULL).
--
-- VOLATILE and READ COMMITTED matter: each statement sees what was committed before it began, so what follows the
-- lock sees all that others did under it.
CREATE FUNCTION trichat.append(
    room_ids bigint[], batch json, patience_ms int,
    OUT at bigint, OUT seqs bigint[], OUT outcomes int[]
) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    now timestamptz;
BEGIN
    PERFORM
        set_config('lock_timeout', patience_ms::text, true),
        -- A new table has no statistics: a plan that scans it whole would be kept when it has grown.
        set_config('enable_seqscan', 'off', true),
        set_config('plan_cache_mode', 'force_generic_plan', true);
    IF current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;

    -- In the order of ids, or two nodes deadlock.
    PERFORM FROM trichat.rooms WHERE id = ANY (room_ids) ORDER BY id FOR UPDATE;
    now := date_trunc('milliseconds', clock_timestamp());

    WITH drafts AS (
        SELECT row_number() OVER () AS n, d.*
        FROM json_to_recordset(batch) AS d (
            room_id bigint, kind text, user_id text, name text, cid text, digest bigint, target bigint, body json
        )
    ), judged AS (
        -- old_seq: stored before; first: the draft of this batch that has this cid first.
        SELECT d.*, r.last_seq, e.seq AS old_seq, e.digest AS old_digest,
            CASE WHEN cid IS NULL THEN n ELSE min(n) OVER (PARTITION BY d.room_id, d.user_id, d.cid) END AS first
        FROM drafts d
        LEFT JOIN trichat.rooms r ON r.id = d.room_id
        LEFT JOIN LATERAL (
            SELECT seq, digest FROM trichat.events
            WHERE room_id = d.room_id AND user_id = d.user_id AND cid = d.cid
            LIMIT 1  -- at most one there is; the planner is to look it up, draft by draft
        ) e ON d.cid IS NOT NULL
    ), fresh AS (
        SELECT *, last_seq + row_number() OVER (PARTITION BY room_id ORDER BY n) AS seq
        FROM judged
        WHERE first = n AND old_seq IS NULL AND last_seq IS NOT NULL
    ), written AS (
        INSERT INTO trichat.events (room_id, seq, kind, user_id, user_name, ts, cid, digest, target, body)
        SELECT room_id, seq, kind, user_id, name, now, cid, digest, target, body FROM fresh
    ), moved AS (
        UPDATE trichat.rooms SET last_seq = f.last
        FROM (SELECT room_id, max(seq) AS last FROM fresh GROUP BY room_id) f
        WHERE id = f.room_id
    ), told AS (
        SELECT j.n, coalesce(j.old_seq, f.seq) AS seq,
            CASE
                WHEN j.last_seq IS NULL THEN 3
                WHEN j.old_seq IS NULL AND j.first = j.n THEN 0
                WHEN j.digest = coalesce(j.old_digest, f.digest) THEN 1
                ELSE 2
            END AS outcome
        FROM judged j LEFT JOIN fresh f ON f.n = j.first
    )
    SELECT array_agg(seq ORDER BY n), CASE WHEN bool_or(outcome <> 0) THEN array_agg(outcome ORDER BY n) END
    INTO seqs, outcomes
    FROM told;
    at := floor(extract(epoch FROM now) * 1000);
END
$$;
