-- The database of trichat, PostgreSQL 14 and newer, encoding UTF8.
--
-- `trichat serve` applies this file to a database that does not have it. Who does not let a server make tables
-- applies it beforehand: psql -1 -v ON_ERROR_STOP=1 -f schema.sql. Names are qualified; search_path is left alone.

CREATE SCHEMA trichat;

-- One row: which version of this file was applied; and how often something was changed that nodes keep in memory
-- (signing secrets, texts that were erased), so that they forget it.
CREATE TABLE trichat.meta (
    version int NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    changes bigint NOT NULL DEFAULT 0
);
INSERT INTO trichat.meta (version) VALUES (3);

-- `last_seq` changes with every message and is in no index: room on each page makes that a HOT update.
CREATE TABLE trichat.rooms (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    epoch text NOT NULL,
    last_seq bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL DEFAULT 'public',
    title text NOT NULL DEFAULT '',
    topic text NOT NULL DEFAULT '',
    member_limit int NOT NULL DEFAULT 0,
    slow_s int NOT NULL DEFAULT 0,
    send_role smallint NOT NULL DEFAULT 0,  -- the least role that may send, as was said
    least_sender smallint NOT NULL DEFAULT 0,  -- and as it comes to, where guests may not come
    history text NOT NULL DEFAULT 'all',
    guests boolean NOT NULL DEFAULT true,
    archived boolean NOT NULL DEFAULT false,
    guests_restrained boolean NOT NULL DEFAULT false,  -- some guest was banned or muted here, once
    language text NOT NULL DEFAULT 'simple',  -- a text search configuration
    retention_days int NOT NULL DEFAULT 0,  -- 0: as the server says for all
    last_no bigint NOT NULL DEFAULT 0,  -- `no` of its last event
    last_message bigint NOT NULL DEFAULT 0,  -- `seq` of its last message that is in no thread
    first_seq bigint NOT NULL DEFAULT 1,  -- what came before it is kept no more
    first_no bigint NOT NULL DEFAULT 0  -- `no` of the last event that is kept no more
) WITH (fillfactor = 50);

-- Rooms that were deleted and whose events go in portions.
CREATE TABLE trichat.dropped_rooms (
    room_id bigint PRIMARY KEY
);

-- The logs of all rooms. One table; if it is ever partitioned, then by hash of room_id, never by time: numbers and
-- cids are unique per room for ever, and a unique index cannot cross partitions.
-- `body` is json, not jsonb: its bytes go unchanged into what clients get. `digest` is there where `cid` is.
--
-- `no` counts the room's messages that are in no thread, up to and with this event, so that how many there are between
-- two events is a subtraction; `thread_no` counts in the same way the replies of a thread.
--
-- The row of a message is its present state: an edit or a deletion changes `body`, `rev` (the `seq` of the last change,
-- a reaction, a pin or a reply too), `edited` and `deleted`. The old texts are in `revisions`; of a deleted message none is kept,
-- also not in the events that edited it.
CREATE TABLE trichat.events (
    room_id bigint NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    user_name text NOT NULL,
    ts timestamptz NOT NULL,
    cid text COLLATE "C",
    digest bigint,
    target bigint,  -- `seq` of the message that the event is about
    rev bigint,
    body json NOT NULL,
    no bigint NOT NULL,
    thread bigint,  -- `seq` of the message that the thread hangs on
    thread_no bigint,
    edited timestamptz,
    deleted boolean NOT NULL DEFAULT false,
    PRIMARY KEY (room_id, seq)
);
CREATE UNIQUE INDEX events_cid ON trichat.events (room_id, user_id, cid) WHERE cid IS NOT NULL;
-- those that few events are in, so that a plain message costs no entry
CREATE INDEX events_thread ON trichat.events (room_id, thread, seq) WHERE thread IS NOT NULL;
CREATE INDEX events_target ON trichat.events (room_id, target, seq) WHERE target IS NOT NULL;
CREATE INDEX events_edited ON trichat.events (room_id, target, seq) WHERE kind = 'edited';
CREATE INDEX events_rev ON trichat.events (room_id, rev) WHERE rev IS NOT NULL;
CREATE INDEX events_deleted ON trichat.events (room_id, thread, seq) WHERE deleted;

-- `no` of the event `place`, or as it is there when that event is kept no more, or not there yet.
CREATE FUNCTION trichat.number_at(room bigint, place bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN place >= last_seq THEN last_no
        WHEN place < first_seq THEN first_no
        ELSE (SELECT no FROM trichat.events WHERE room_id = room AND seq = place)
    END
    FROM trichat.rooms WHERE id = room
$$;

-- `seq` of each message in no thread, from the number `first` to `last`, as far as there are. They are looked for by
-- halving, on the primary key: what lies between them costs next to nothing, however much it is. An index on messages
-- would do the same, at the cost of an entry for each.
CREATE FUNCTION trichat.main_line(room bigint, first bigint, last bigint) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE ROWS 50 SET enable_seqscan = off AS $$
DECLARE
    low bigint;  -- before the one looked for
    high bigint;  -- it, or after it
    top bigint;
    step bigint;
    middle bigint;
    number_there bigint;
BEGIN
    SELECT first_seq - 1, last_seq, greatest(main_line.first, first_no + 1), least(main_line.last, last_no)
    INTO low, top, first, last
    FROM trichat.rooms WHERE id = room;
    FOR number IN first .. last LOOP
        step := 1;
        LOOP
            high := least(low + step, top);
            EXIT WHEN high = top;
            SELECT no INTO number_there FROM trichat.events WHERE room_id = room AND seq = high;
            EXIT WHEN number_there >= number;
            low := high;
            step := 4 * step;
        END LOOP;
        WHILE high - low > 1 LOOP
            middle := (low + high) / 2;
            SELECT no INTO number_there FROM trichat.events WHERE room_id = room AND seq = middle;
            IF number_there >= number THEN high := middle; ELSE low := middle; END IF;
        END LOOP;
        RETURN NEXT high;
        low := high;
    END LOOP;
END
$$;

-- The old texts of messages that were edited: `rev` is the `seq` of the event that brought the text.
CREATE TABLE trichat.revisions (
    room_id bigint NOT NULL,
    seq bigint NOT NULL,
    rev bigint NOT NULL,
    at timestamptz NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (room_id, seq, rev)
);

CREATE TABLE trichat.reactions (
    room_id bigint NOT NULL,
    seq bigint NOT NULL,
    emoji text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,  -- at the time of the reaction
    PRIMARY KEY (room_id, seq, emoji, user_id)
);

CREATE TABLE trichat.pins (
    room_id bigint NOT NULL,
    seq bigint NOT NULL,
    pin bigint NOT NULL,  -- `seq` of the event that pinned it
    PRIMARY KEY (room_id, seq)
);

-- Messages with replies: how many there were (`thread_no` of the last), deleted ones too.
CREATE TABLE trichat.threads (
    room_id bigint NOT NULL,
    root bigint NOT NULL,
    last_no bigint NOT NULL,
    last_seq bigint NOT NULL,
    PRIMARY KEY (room_id, root)
);
CREATE INDEX threads_latest ON trichat.threads (room_id, last_seq);
-- Who follows a thread, and up to where they have read it. `following` is false of who wants to hear no more of it.
CREATE TABLE trichat.follows (
    room_id bigint NOT NULL,
    root bigint NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    following boolean NOT NULL,
    read_seq bigint NOT NULL,
    read_no bigint NOT NULL,
    PRIMARY KEY (room_id, root, user_id)
);
CREATE INDEX follows_user ON trichat.follows (user_id, room_id);

-- Whom a message mentions; '*': the room. Of a deleted message none is kept.
CREATE TABLE trichat.mentions (
    user_id text COLLATE "C" NOT NULL,
    room_id bigint NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (user_id, room_id, seq)
);
CREATE INDEX mentions_message ON trichat.mentions (room_id, seq);
CREATE INDEX mentions_at ON trichat.mentions (user_id, room_id, at, seq);

-- What is to be told to the outside, such as pushes to people who are away: written in the transaction of what it
-- tells of, taken by who delivers it, removed after a day.
CREATE TABLE trichat.outgoing (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    why text NOT NULL,  -- mention, direct
    user_id text COLLATE "C" NOT NULL,  -- '*': every member of the room
    room_id bigint NOT NULL,
    seq bigint NOT NULL
);
CREATE INDEX outgoing_at ON trichat.outgoing (at);
CREATE INDEX outgoing_room ON trichat.outgoing (room_id);

-- What searches look through: for each message that is in the index (see `indexed`) and not deleted the lexemes of its
-- text, and beside them, as lexemes that no text can make, its room (#12), its author (@u_…) and what it has (:link): so
-- that one look into one index finds what fits, however large the room. Filled in the background; sends write nothing.
CREATE TABLE trichat.search (
    room_id bigint NOT NULL,
    seq bigint NOT NULL,
    ts timestamptz NOT NULL,
    vector tsvector NOT NULL,
    PRIMARY KEY (room_id, seq)
);
CREATE INDEX search_room ON trichat.search (room_id, ts, seq);
CREATE INDEX search_ts ON trichat.search (ts, room_id, seq);
CREATE INDEX search_vector ON trichat.search USING gin (vector) WITH (fastupdate = off);

-- Up to which `seq` a room's messages are in the index, by which language. Whoever indexes a room locks its row here.
CREATE TABLE trichat.indexed (
    room_id bigint PRIMARY KEY,
    seq bigint NOT NULL,
    language text NOT NULL
);

-- A text as it is searched: one spelling, lower case in all alphabets (which the database's own collation may not know),
-- and no typographic marks, which the parser takes for letters there.
DO $$
DECLARE
    known text := (
        SELECT collname FROM pg_catalog.pg_collation
        WHERE collname IN ('pg_c_utf8', 'und-x-icu') AND collnamespace = 'pg_catalog'::regnamespace
        ORDER BY collname LIMIT 1
    );
BEGIN
    EXECUTE format($f$
        CREATE FUNCTION trichat.folded(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $b$
            SELECT lower(normalize(
                translate(said, '’‘“”„«»‹›…–—·•¿¡、。，！？：；（）「」', '''''' || repeat(' ', 25)), NFC
            ) COLLATE pg_catalog.%I)
        $b$
    $f$, coalesce(known, 'default'));
END
$$;

-- Of a message's row what `search.vector` holds.
CREATE FUNCTION trichat.search_vector(language text, e trichat.events) RETURNS tsvector LANGUAGE sql STABLE AS $$
    SELECT to_tsvector(('pg_catalog.' || language)::regconfig, coalesce(trichat.folded(e.body ->> 'text'), ''))
        || array_to_tsvector(array_remove(ARRAY[
            '#' || e.room_id,
            '@' || e.user_id,
            CASE WHEN e.body ->> 'text' ~* 'https?://' THEN ':link' END,
            CASE WHEN e.body ->> 'mentions' IS NOT NULL THEN ':mention' END,
            CASE WHEN e.thread IS NOT NULL OR e.body ->> 'reply_to' IS NOT NULL THEN ':reply' END,
            CASE WHEN e.edited IS NOT NULL THEN ':edit' END
        ], NULL))
$$;

-- Who holds a name, guest or account. `name_key` is what names have in common that look alike.
CREATE TABLE trichat.names (
    name_key text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    free_at timestamptz NOT NULL  -- then others may take it; of an account's present name: infinity
);
CREATE INDEX names_user ON trichat.names (user_id);
CREATE INDEX names_free ON trichat.names (free_at);

-- Accounts of people, bots, and those whom another site vouches for.
CREATE TABLE trichat.users (
    id text COLLATE "C" PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    password_hash text,
    totp_secret text,
    totp_step bigint NOT NULL DEFAULT 0,
    admin boolean NOT NULL DEFAULT false,
    active boolean NOT NULL DEFAULT true,
    display_name text NOT NULL DEFAULT '',
    about text NOT NULL DEFAULT '',
    avatar text NOT NULL DEFAULT '',
    locale text NOT NULL DEFAULT '',
    time_zone text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    issuer text,
    subject text,
    recovery_hash bytea UNIQUE,
    recovery_until timestamptz,
    hidden boolean NOT NULL DEFAULT false,  -- for others never online, nor seen
    last_seen_at timestamptz,  -- when a device of theirs went last
    UNIQUE (issuer, subject)
);
CREATE INDEX users_name ON trichat.users (name);

-- The logins that last. Of a token only its SHA-256 is kept.
CREATE TABLE trichat.logins (
    id text COLLATE "C" PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    device text NOT NULL,
    address text NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX logins_user ON trichat.logins (user_id);
CREATE INDEX logins_expiry ON trichat.logins (expires_at);

-- Keys of bots.
CREATE TABLE trichat.keys (
    id text COLLATE "C" PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    key_hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL,
    rooms text[],
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz
);
CREATE INDEX keys_user ON trichat.keys (user_id);

-- What was ended of late, so that every node closes the connections that rest on it: a login or key, or (with no
-- session_id) all of an account.
CREATE TABLE trichat.ended (
    at timestamptz NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    session_id text COLLATE "C"
);
CREATE INDEX ended_at ON trichat.ended (at);

CREATE TABLE trichat.blocks (
    user_id text COLLATE "C" NOT NULL,
    blocked_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (user_id, blocked_id)
);

-- How people stand to rooms: members with their role, and who is invited, muted or banned, guests too.
-- Changed under the lock of the room's row alone.
CREATE TABLE trichat.standings (
    room_id bigint NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,  -- at the time of the change
    role smallint,  -- NULL: no member
    since bigint NOT NULL DEFAULT 0,
    invited boolean NOT NULL DEFAULT false,
    muted_until bigint NOT NULL DEFAULT 0,  -- ms since 1970
    banned_until bigint NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '',
    -- What the member has read, and what they want to be told: changed by themselves, without the lock.
    read_seq bigint NOT NULL DEFAULT 0,
    read_no bigint NOT NULL DEFAULT 0,  -- `no` of the event `read_seq`
    level text NOT NULL DEFAULT 'all',
    quiet_until bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (room_id, user_id)
) WITH (fillfactor = 80);
CREATE INDEX standings_user ON trichat.standings (user_id);

-- Codes that make whoever shows them a member. Of a code its SHA-256 is kept, and its beginning for lists.
CREATE TABLE trichat.invites (
    code_hash bytea PRIMARY KEY,
    beginning text NOT NULL,
    room_id bigint NOT NULL,
    made_by text NOT NULL,
    uses_left int NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX invites_room ON trichat.invites (room_id);

CREATE TABLE trichat.reports (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room_id bigint NOT NULL,
    seq bigint NOT NULL,
    reporter_id text COLLATE "C" NOT NULL,
    reporter text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    resolved_by text,
    note text NOT NULL DEFAULT '',
    UNIQUE (room_id, seq, reporter_id)
);

-- Who did what. Only ever grows; an erasure alone may blank names in it.
CREATE TABLE trichat.audit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    actor_id text COLLATE "C",  -- NULL: on the server's own command line
    act text NOT NULL,
    room_id bigint,
    room text,
    target text,
    target_id text COLLATE "C",
    reason text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT ''
);
CREATE INDEX audit_room ON trichat.audit (room_id, number);
CREATE FUNCTION trichat.keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND coalesce(current_setting('trichat.erasing', true), '') = 'on' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit is never changed';
END
$$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON trichat.audit FOR EACH ROW EXECUTE FUNCTION trichat.keep_audit();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON trichat.audit FOR EACH STATEMENT EXECUTE FUNCTION trichat.keep_audit();

-- When people spoke last, in rooms with slow mode alone.
CREATE TABLE trichat.pace (
    room_id bigint NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    spoke_at timestamptz NOT NULL,
    PRIMARY KEY (room_id, user_id)
);

-- What guests' tokens are signed with.
CREATE TABLE trichat.secrets (
    number int PRIMARY KEY,
    secret bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Who is there. All three tables are unlogged, and so lost together when PostgreSQL crashes or fails over: a node that
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
-- The devices of accounts that are connected to a node, in whatever room; of guests those who are away.
CREATE UNLOGGED TABLE trichat.devices (
    incarnation bigint NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    device text COLLATE "C" NOT NULL,  -- a login's id, or what has no login: guest, bot, unknown
    away boolean NOT NULL,
    PRIMARY KEY (incarnation, user_id, device)
);
CREATE INDEX devices_user ON trichat.devices (user_id);

-- Numbers and stores a batch of drafts, in the order given; the calling statement is the whole transaction.
--
-- room_ids: the rooms of the batch, each at least once. batch: an array of objects, the columns of `drafts` below.
-- patience_ms: how long to wait for a lock; who called has given up by then.
-- special: some draft is in a thread, mentions somebody, or is for a direct room.
-- at: the time of the events, ms since 1970. seqs: one for each draft. outcomes: NULL when all are committed, else
-- one for each draft: 0 committed, 1 repeated, 2 cid reused with other content, 3 no such room; its author may not
-- send, because: 4 archived, 5 banned, 6 muted, 7 role too low, 8 no member, 9 too soon (slow mode). From 3 on seq is NULL.
--
-- Who may send is decided here, under the lock, and nowhere else: so nobody has a seq after their ban, on any node.
--
-- VOLATILE and READ COMMITTED matter: each statement sees what was committed before it began, so what follows the
-- lock sees all that others did under it.
CREATE FUNCTION trichat.append(
    room_ids bigint[], batch json, patience_ms int, special boolean,
    OUT at bigint, OUT seqs bigint[], OUT outcomes int[]
) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    now timestamptz;
    now_ms bigint;
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
    now_ms := floor(extract(epoch FROM now) * 1000);

    WITH drafts AS (
        SELECT row_number() OVER () AS n, d.*
        FROM json_to_recordset(batch) AS d (
            room_id bigint, kind text, user_id text, name text, cid text, digest bigint, body json, thread bigint
        )
    ), judged AS (
        -- old_seq: stored before; first: the draft of this batch that has this cid first; denied: 0, or why, all but
        -- slow mode; slow: that counts for this author. What most drafts do not need is looked up in subqueries that
        -- are not run for them (joins would cost a twentieth of the whole), each of one row (an EXISTS may be planned
        -- as a scan of the whole table).
        SELECT d.*, r.last_seq, r.last_no, e.seq AS old_seq, e.digest AS old_digest,
            CASE WHEN cid IS NULL THEN n ELSE min(n) OVER (PARTITION BY d.room_id, d.user_id, d.cid) END AS first,
            CASE
                WHEN r.archived THEN 4
                WHEN r.guests_restrained OR starts_with(d.user_id, 'u_') THEN (
                    SELECT CASE
                        WHEN s.banned_until > now_ms THEN 5
                        WHEN s.muted_until > now_ms THEN 6
                        WHEN s.role IS NULL AND starts_with(d.user_id, 'u_') THEN 8
                        WHEN coalesce(s.role, 0) < r.least_sender THEN 7
                        ELSE 0
                    END
                    FROM (SELECT) one
                    LEFT JOIN trichat.standings s ON s.room_id = d.room_id AND s.user_id = d.user_id
                )
                WHEN r.least_sender > 0 THEN 7
                ELSE 0
            END AS denied,
            r.slow_s > 0 AND (
                SELECT role >= 3 FROM trichat.standings s WHERE s.room_id = d.room_id AND s.user_id = d.user_id
            ) IS NOT TRUE AS slow
        FROM drafts d
        LEFT JOIN trichat.rooms r ON r.id = d.room_id
        LEFT JOIN LATERAL (
            SELECT seq, digest FROM trichat.events
            WHERE room_id = d.room_id AND user_id = d.user_id AND cid = d.cid
            LIMIT 1  -- at most one there is; the planner is to look it up, draft by draft
        ) e ON d.cid IS NOT NULL
    ), fresh AS (
        SELECT *,
            last_seq + row_number() OVER of_room AS seq,
            last_no + count(*) FILTER (WHERE kind = 'message' AND thread IS NULL) OVER of_room AS no
        FROM judged j
        WHERE first = n AND old_seq IS NULL AND last_seq IS NOT NULL AND denied = 0
            -- of the drafts that one person has in this batch for a slow room, the first counts, if it is not too soon
            AND (
                NOT slow OR n IN (
                    SELECT min(n) FROM judged
                    WHERE slow AND first = n AND old_seq IS NULL AND denied = 0
                    GROUP BY room_id, user_id
                ) AND (
                    SELECT spoke_at > now - make_interval(secs => r.slow_s)
                    FROM trichat.pace p JOIN trichat.rooms r ON r.id = p.room_id
                    WHERE p.room_id = j.room_id AND p.user_id = j.user_id
                ) IS NOT TRUE
            )
        WINDOW of_room AS (PARTITION BY room_id ORDER BY n)
    ), written AS (
        INSERT INTO trichat.events (room_id, seq, kind, user_id, user_name, ts, cid, digest, body, no, thread)
        SELECT room_id, seq, kind, user_id, name, now, cid, digest, body, no, thread FROM fresh
    ), paced AS (
        INSERT INTO trichat.pace (room_id, user_id, spoke_at)
        SELECT room_id, user_id, now FROM fresh WHERE slow
        ON CONFLICT (room_id, user_id) DO UPDATE SET spoke_at = excluded.spoke_at
    ), moved AS (
        UPDATE trichat.rooms SET last_seq = f.last, last_no = f.no, last_message = coalesce(f.message, last_message)
        FROM (
            SELECT room_id, max(seq) AS last, max(no) AS no, max(seq) FILTER (WHERE kind = 'message' AND thread IS NULL) AS message
            FROM fresh GROUP BY room_id
        ) f
        WHERE id = f.room_id
    ), seen AS (
        -- who says something has read what came before it
        UPDATE trichat.standings s SET read_seq = f.last, read_no = f.no
        FROM (
            SELECT room_id, user_id, max(seq) AS last, max(no) AS no
            FROM fresh WHERE kind = 'message' AND thread IS NULL AND starts_with(user_id, 'u_')
            GROUP BY room_id, user_id
        ) f
        WHERE s.room_id = f.room_id AND s.user_id = f.user_id AND s.read_seq < f.last
    ), told AS (
        SELECT j.n, coalesce(j.old_seq, f.seq) AS seq,
            CASE
                WHEN j.last_seq IS NULL THEN 3
                WHEN j.old_seq IS NULL AND f.seq IS NULL THEN CASE j.denied WHEN 0 THEN 9 ELSE j.denied END
                WHEN j.old_seq IS NULL AND j.first = j.n THEN 0
                WHEN j.digest = coalesce(j.old_digest, f.digest) THEN 1
                ELSE 2
            END AS outcome
        FROM judged j LEFT JOIN fresh f ON f.n = j.first
    )
    SELECT array_agg(seq ORDER BY n), CASE WHEN bool_or(outcome <> 0) THEN array_agg(outcome ORDER BY n) END
    INTO seqs, outcomes
    FROM told;
    at := now_ms;
    IF special THEN
        PERFORM trichat.connect(batch, seqs, outcomes, now, now_ms);
    END IF;
END
$$;

-- What messages of a batch that was just stored do beside standing in the log: threads, mentions, and whom to tell
-- outside. Of those alone that have `mentions`, if empty: the others are plain. One after the other, each by looks at
-- keys, as a join could be planned as a scan. But no row is changed twice: of a thousand versions of one row in one
-- transaction each look would read all.
CREATE FUNCTION trichat.connect(
    batch json, seqs bigint[], outcomes int[], now timestamptz, now_ms bigint
) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    d record;
    said bigint;  -- the message's `seq`
    heard text[];  -- whom it mentions, of those who may read it
    replies trichat.follows[] := '{}';  -- who has said which reply: up to there they have read the thread
BEGIN
    FOR d IN
        SELECT drafts.*, r.kind = 'direct' AS direct, r.kind = 'public' AND r.guests AS open,
            row_number() OVER (PARTITION BY drafts.room_id, thread ORDER BY n) + coalesce(
                (SELECT last_no FROM trichat.threads t WHERE t.room_id = drafts.room_id AND t.root = thread), 0
            ) AS thread_no
        FROM (
            SELECT row_number() OVER () AS n, b.*
            FROM json_to_recordset(batch) AS b (
                room_id bigint, kind text, user_id text, thread bigint, mentions text[]
            )
        ) drafts
        CROSS JOIN LATERAL (SELECT kind, guests FROM trichat.rooms WHERE id = drafts.room_id LIMIT 1) r
        WHERE drafts.mentions IS NOT NULL AND drafts.kind = 'message' AND coalesce(outcomes[drafts.n], 0) = 0
        ORDER BY drafts.n
    LOOP
        said := seqs[d.n];
        heard := '{}';
        IF d.mentions <> '{}' THEN
            SELECT coalesce(array_agg(DISTINCT m.id), '{}') INTO heard
            FROM unnest(d.mentions) AS m (id)
            WHERE m.id <> d.user_id AND CASE
                WHEN m.id = '*' THEN true
                WHEN starts_with(m.id, 'u_') THEN (
                    SELECT role FROM trichat.standings WHERE room_id = d.room_id AND user_id = m.id
                ) IS NOT NULL
                ELSE d.open AND coalesce((
                    SELECT banned_until FROM trichat.standings WHERE room_id = d.room_id AND user_id = m.id
                ), 0) <= now_ms
            END;
            INSERT INTO trichat.mentions (user_id, room_id, seq, at)
            SELECT m.id, d.room_id, said, now FROM unnest(heard) AS m (id);
        END IF;

        IF d.thread IS NOT NULL THEN
            UPDATE trichat.events SET thread_no = d.thread_no WHERE room_id = d.room_id AND seq = said;
            replies := replies || ROW(d.room_id, d.thread, d.user_id, true, said, d.thread_no)::trichat.follows;
            -- who is spoken to hears of the thread from here on, unless they wanted to hear no more of it
            INSERT INTO trichat.follows (room_id, root, user_id, following, read_seq, read_no)
            SELECT d.room_id, d.thread, s.user_id, true, said - 1, d.thread_no - 1
            FROM trichat.standings s
            WHERE s.room_id = d.room_id AND s.user_id = ANY (array_append(
                heard, (SELECT user_id FROM trichat.events WHERE room_id = d.room_id AND seq = d.thread)
            ))
                AND s.user_id <> d.user_id AND starts_with(s.user_id, 'u_') AND s.role IS NOT NULL
            ORDER BY s.user_id
            ON CONFLICT DO NOTHING;
        END IF;

        -- Who is away, and wants it, is told outside; of the room it is for whoever tells to find out.
        IF '*' = ANY (heard) THEN
            INSERT INTO trichat.outgoing (at, why, user_id, room_id, seq) VALUES (now, 'mention', '*', d.room_id, said);
        END IF;
        IF d.direct THEN
            SELECT array_agg(s.user_id) INTO heard FROM trichat.standings s WHERE s.room_id = d.room_id;
        END IF;
        INSERT INTO trichat.outgoing (at, why, user_id, room_id, seq)
        SELECT now, CASE WHEN s.user_id = ANY (d.mentions) THEN 'mention' ELSE 'direct' END, s.user_id, d.room_id, said
        FROM trichat.standings s
        WHERE s.room_id = d.room_id AND s.user_id = ANY (heard) AND s.user_id <> d.user_id
            AND starts_with(s.user_id, 'u_') AND s.role IS NOT NULL AND s.quiet_until <= now_ms
            AND (s.level = 'all' OR s.level = 'mentions' AND s.user_id = ANY (d.mentions))
            AND (SELECT 1 FROM trichat.devices v WHERE v.user_id = s.user_id AND NOT v.away LIMIT 1) IS NULL
            AND (
                SELECT 1 FROM trichat.blocks b WHERE b.user_id = s.user_id AND b.blocked_id = d.user_id LIMIT 1
            ) IS NULL
        ORDER BY s.user_id;
    END LOOP;

    FOR d IN
        SELECT room_id, root, max(read_seq) AS last_seq, max(read_no) AS last_no FROM unnest(replies)
        GROUP BY room_id, root
    LOOP
        INSERT INTO trichat.threads (room_id, root, last_no, last_seq)
        VALUES (d.room_id, d.root, d.last_no, d.last_seq)
        ON CONFLICT (room_id, root) DO UPDATE SET last_no = excluded.last_no, last_seq = excluded.last_seq;
        UPDATE trichat.events SET rev = d.last_seq WHERE room_id = d.room_id AND seq = d.root;
    END LOOP;
    INSERT INTO trichat.follows (room_id, root, user_id, following, read_seq, read_no)
    SELECT room_id, root, user_id, true, max(read_seq), max(read_no) FROM unnest(replies)
    WHERE starts_with(user_id, 'u_')
    GROUP BY room_id, root, user_id ORDER BY room_id, root, user_id
    ON CONFLICT (room_id, root, user_id) DO UPDATE
    SET following = true, read_seq = excluded.read_seq, read_no = excluded.read_no;
END
$$;
