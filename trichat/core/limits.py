"""Every limit of the service, named, with its unit and what happens at it, in one place."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

#: What `--no-rate-limit` makes of a rate or a cap: more than anybody can reach.
LIFTED: Final = 1_000_000_000


class Limits(Struct, frozen=True, kw_only=True):
    """The limits of one node. A field's comment says its unit and what happens when it is reached."""

    # what a client may send
    text: int = 4_000  # bytes of UTF-8 in a message; more: too_long
    frame: int = 65_536  # bytes of one WebSocket message, over all its fragments; more: closed with 1009
    fragments: int = 64  # fragments of one WebSocket message; more: closed with 1009
    control_frames: int = 20  # pings and pongs a second from one client; more: closed with 1002
    id_chars: int = 64  # characters of a command's id; more: bad_field
    cid_chars: int = 64  # characters of a cid; more: bad_field
    password_bytes_least: int = 8  # bytes of a new password; less: bad_field
    password_bytes: int = 1_024  # bytes of a password; more: bad_field
    outside_token_bytes: int = 8_192  # bytes of another site's token; more: refused without a look
    name_bytes: int = 64  # bytes of a room's or a person's name; more: bad_field
    rooms: int = 200  # rooms that one connection may listen to; more: limit_reached
    pending_commands: int = 1_024  # commands waiting behind one that waits; more: the reader waits
    pending_bytes: int = 262_144  # bytes of the same; more: the reader waits
    unacked_sends: int = 1_024  # sends of one connection not yet committed; more: the reader waits
    bad_frames: int = 10  # in `bad_frames_s`; the tenth closes with 4000
    bad_frames_s: float = 60.0
    commands_per_s: float = 50.0  # tokens (core/costs.py) of a connection; none left: rate_limited; LIFTED: no limits
    command_burst: int = 300  # tokens that its bucket holds
    account_per_s: float = 100.0  # tokens of an account, over its connections to this node
    account_burst: int = 600
    guest_per_s: float = 20.0  # tokens of a guest, likewise
    guest_burst: int = 150
    address_per_s: float = 300.0  # tokens of an address (an IPv6 /64), for all behind it
    address_burst: int = 3_000
    room_per_s: float = 600.0  # messages into one room at this node; twice what one address can send
    room_burst: int = 6_000
    buckets: int = 50_000  # kept for accounts, guests, addresses, rooms each; more: the longest unused is forgotten
    ignored_rate_limits: int = 50  # refusals in a row; the fiftieth closes with 4102
    failed_auths: int = 10  # wrong tokens, passwords and codes on one connection; the tenth closes with 4001
    passwords_per_address_per_min: float = 10.0  # passwords and codes tried from an address; more: rate_limited
    passwords_per_address: int = 30  # of these at once
    passwords_per_account_per_min: float = 5.0  # the same for one account, whoever tries; more: rate_limited
    passwords_per_account: int = 10  # of these at once

    # what is said of messages
    edit_window_s: float = 86_400.0  # after a message, in which its author may edit it; then forbidden
    emoji_bytes: int = 64  # of a reaction; more: bad_field
    emojis: int = 50  # different reactions to one message; more: limit_reached
    reactions: int = 1_000  # of all people to one message; more: limit_reached
    pins: int = 100  # pinned messages of a room; more: limit_reached
    mentions: int = 50  # names that one message mentions; what comes after is text
    revisions: int = 100  # edits of one message; more: limit_reached
    seen_members: int = 100  # of a room, up to which it shows who has read how far; more: limit_reached
    presence: int = 100  # people of a room, up to which it shows each one's presence; more: counts alone
    presence_rest_s: float = 1.0  # between two looks at a room's presence, for all at a node who want to know it
    presence_look_s: float = 10.0  # between looks when nothing was heard
    presence_look_fast_s: float = 2.0  # the same while a node is degraded
    typing_s: float = 6.0  # that a `typing` counts, unless it is said again
    typing_rest_s: float = 1.0  # between two `typing` of one person in a room, and between two pushes to its listeners
    typing_people: int = 10  # named in one push
    query_bytes: int = 512  # of a search; more: too_long
    query_terms: int = 16  # of a search; more: bad_field
    search_page: int = 50  # found messages of one page
    search_rooms: int = 200  # that one search looks through, of the rooms that somebody is a member of
    search_tail: int = 5_000  # events that are not in the index yet, which one search looks through; more: unavailable
    search_scan: int = 5_000  # of the newest entries of the index, which a search looks through before it asks it
    search_s: float = 1.2  # for one search; then limit_reached, with a word on how to narrow it down
    snippet_chars: int = 160  # of what is shown of a found text
    index_portion: int = 1_000  # events that one step of the index takes, long ones count more; rooms it looks at, too
    index_share: float = 0.1  # of the time, which a node that has sends to commit gives to the index at most; else half
    index_flood: int = 500  # sends that wait to be committed; then a hundredth of the time
    index_rest_s: float = 1.0  # between looks at what is to be put in the index
    compact_events: int = 20_000  # that one compacted page looks at
    findings: int = 100  # of one kind in one room, that `trichat doctor` says; more: counted
    outgoing_kept_s: float = 86_400.0  # that what is to be told to the outside waits for who tells it

    # people and their rooms
    title_bytes: int = 128  # of a room's title, a display name, a device's name; more: bad_field
    topic_bytes: int = 1_024  # of a room's topic, and of what somebody says about themselves; more: bad_field
    reason_bytes: int = 512  # of a reason or a note; more: bad_field
    avatar_bytes: int = 512  # of an avatar's address; more: bad_field
    room_members: int = 100_000  # the most that a member limit may say
    slow_s: int = 21_600  # the most that slow mode may say
    retention_days: int = 36_500  # the most that a room's retention may say
    kept_days: int = 0  # that a room keeps what was said, where it says nothing else; 0: for ever
    retention_s: float = 1.5  # each minute, in which a node removes what is kept no more; the rest a minute later
    restraint_s: int = 315_360_000  # the most that a ban, a mute or an invite may last when it ends: ten years
    invite_uses: int = 10_000  # the most that an invite's code may be used
    invites: int = 100  # codes of one room that can be used at a time; more: limit_reached
    owned_rooms: int = 200  # rooms that one account may own; more: limit_reached
    account_sessions: int = 50  # logins of one account; more: the one longest unused ends
    session_s: float = 7_776_000.0  # since its last use, after which a login ends (90 days)
    session_touch_s: float = 3_600.0  # between records of a login's use
    old_name_kept_s: float = 2_592_000.0  # after a rename, until others may take the old name (30 days)
    recovery_s: float = 86_400.0  # that a recovery code can be used
    ended_look_s: float = 0.5  # between looks at what was ended, at a node where accounts are connected
    expiring_s: float = 60.0  # before another site's token ends, when its client is told
    revoked_kept_s: float = 86_400.0  # that an ended login is remembered, so that every node hears of it
    direct_rooms: int = 1_000  # that one account may open; more: limit_reached
    blocks: int = 1_000  # people that one account may block; more: limit_reached
    open_reports: int = 20  # of one person in one room; more: limit_reached

    # what a client may ask for
    replay: int = 1_000  # events replayed by a join; more are missing: a `gap` in their place
    page: int = 200  # messages or events in one page; a larger `limit` is clamped
    page_bytes: int = 262_144  # bytes of one page, and of one read for a replay
    default_page: int = 50  # messages in a page when no `limit` is given
    list_page: int = 100  # rooms or members in one page of a list, and the most that may be asked for

    # queues
    outbox_bytes: int = 1_048_576  # live events waiting for one client; full: closed with 4101
    outbox_ephemeral_bytes: int = 65_536  # above this, pushes without a seq are dropped
    outbox_refill_bytes: int = 65_536  # replays and pages wait until less than this is queued
    ring_events: int = 256  # recent events that a room keeps encoded
    ring_bytes: int = 262_144  # bytes of the same
    room_queue: int = 4_096  # batches on their way to a room's members; full: read from the store later
    commit_queue: int = 20_000  # drafts that wait for a commit on one node; full: unavailable
    commit_batch: int = 1_000  # drafts in one transaction
    commit_batch_bytes: int = 1_048_576  # bytes of bodies in one transaction
    publish_queue: int = 10_000  # batches waiting for Redis; full: dropped, the node is degraded
    whisper_queue: int = 1_000  # typing and the like waiting for Redis; full, or as many batches wait: dropped
    news_queue: int = 10_000  # things heard through Redis, waiting for the relay; full: rooms are read from the store
    password_threads: int = 2  # passwords hashed at a time on one node
    password_queue: int = 200  # passwords waiting to be hashed on one node; full: unavailable
    elder_wait_s: float = 0.05  # how long a room waits for a missing number before it is read from the store

    # waits, seconds
    tls_s: float = 10.0  # for the handshake of TLS
    head_s: float = 10.0  # for the whole request head
    head_bytes: int = 16_384  # of the request head; more: 431
    body_bytes: int = 65_536  # of a request's body; more: 413
    body_s: float = 10.0  # for that body
    request_s: float = 40.0  # for the answer to a request, a long poll's too; then 500
    answer_bytes: int = 4_194_304  # of one answer, which is gathered before it is sent; more: 500
    answer_s: float = 20.0  # for a client to take an answer; then reset
    requests: int = 1_000  # on one connection; then it is closed, and the last answer says so
    idle_s: float = 60.0  # between two requests on one connection; then it is closed
    handshake_s: float = 10.0  # for the WebSocket handshake after the head
    identify_s: float = 10.0  # without an identity where guests are refused; then closed with 4008
    farewell_s: float = 5.0  # for a client to take `goodbye` and the close frame; then reset
    drain_s: float = 10.0  # for a stopping node, all told
    commit_s: float = 1.6  # for an answer to a send; then `unavailable`
    store_call_s: float = 1.5  # for any one call of the store; then its connection is shut down
    store_rest_s: float = 0.25  # after a failed connect to PostgreSQL; until then calls fail at once
    store_open_s: float = 10.0  # for PostgreSQL at the start of a node; then StoreUnavailable
    upgrade_s: float = 3_600.0  # for one migration of the database, or one portion of new epochs; then it is undone
    upgrade_lock_s: float = 1.0  # that a migration waits for a table, and nodes behind it; then it is tried again
    store_readers: int = 4  # connections to PostgreSQL for all but commits; all busy: the call waits
    name_kept_s: float = 90_000.0  # after a guest's last use of a name; then it is free (touched hourly, so a day)
    ping_s: float = 25.0  # of silence; then a ping is sent
    pong_s: float = 20.0  # after that ping without a byte; then closed with 4104
    beat_s: float = 0.25  # between beats through Redis
    beat_missing_s: float = 0.6  # without a beat; then the link counts as cut
    redis_connect_s: float = 1.0  # for Redis (and a Sentinel) to connect and log in; then tried again
    redis_subscribe_s: float = 5.0  # for all that and for confirming all rooms; then tried again
    redis_backoff_s: float = 0.1  # before the second try, twice that before the third, …
    redis_backoff_most_s: float = 1.0  # … and at most this
    jwks_bytes: int = 262_144  # of another site's keys; more: not taken, the old ones stay
    jwks_fetch_s: float = 3.0  # for an answer with them; then the old ones stay
    jwks_rest_s: float = 10.0  # between two looks for a key that is not known; until then such a token is refused
    jwks_renew_s: float = 600.0  # between looks otherwise
    leave_s: float = 0.5  # for the last batches and the last word to Redis when a node stops
    heads_fast_s: float = 0.25  # between looks at the heads while a node is degraded
    heads_slow_s: float = 2.0  # between looks otherwise
    node_record_s: float = 3.0  # between a node's records in PostgreSQL
    node_gone_s: float = 12.0  # without a record; then the node and its presence are gone
    room_idle_s: float = 30.0  # without a listener; then a room is forgotten by the node

    # traces, where they are wanted
    traced_sends: int = 100  # one of so many sends of a node is traced
    traces_queue: int = 2_048  # spans that wait for the collector; full: dropped
    traces_rest_s: float = 1.0  # between two times that spans are sent to it
    traces_export_s: float = 5.0  # for the collector to take some; then dropped
    traces_stop_s: float = 1.0  # for the last ones when a node stops; then lost

    # the embedded PostgreSQL and Valkey
    embedded_start_s: float = 30.0  # for a server to answer after its start, and for initdb; then EmbeddedUnusable
    embedded_join_s: float = 20.0  # for the servers of another process to answer; then EmbeddedUnusable
    embedded_stop_s: float = 3.0  # for a server to stop in order; then it is killed
    embedded_look_s: float = 0.1  # between looks at whether a server, or its owner, has died
    embedded_retry_s: float = 5.0  # at most between attempts to start a server that has died
    embedded_log_bytes: int = 10_485_760  # of a server's log; when larger at a start, it begins anew (one is kept)

    # the nodes of one supervisor, `--workers`
    worker_start_s: float = 60.0  # for a worker to serve after its start; then it is killed, which counts as a death
    worker_settled_s: float = 10.0  # a worker that has served for so long did not die at once
    worker_deaths: int = 5  # of a worker at once, in a row; then all end
    worker_retry_s: float = 0.5  # before the second restart in a row, twice that before the third, …
    worker_retry_most_s: float = 8.0  # … and at most this
    worker_farewell_s: float = 5.0  # for a worker to be gone after its `drain_s`, or when told twice; then it is killed

    # connections
    connections: int = 50_000  # on one node; more: 503
    connections_per_address: int = 200  # from one address (an IPv6 /64); more: 503
    connections_per_account: int = 20  # of one account to one node; more: limit_reached
    turned_away: int = 200  # callers over these caps who are told so at a time; more: closed without a word

    # the HTTP API
    api_call_s: float = 10.0  # for the body of a request, and for each command of it; then 408, unavailable
    long_poll_s: int = 30  # the most that `wait_s` may say; more: bad_field
    long_polls: int = 2_000  # requests for events that wait, on one node; more: unavailable
    long_polls_per_person: int = 10  # of these, of one account or guest; more: limit_reached
