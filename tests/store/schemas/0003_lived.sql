-- What a server of version 3 has written: ann and two who are called bob, one after the other; the second has the name now.
INSERT INTO trichat.rooms (name, epoch, last_seq, last_no, last_message) VALUES ('lobby', 'aaaaaaaa', 2, 2, 2);
INSERT INTO trichat.events (room_id, seq, kind, user_id, user_name, ts, body, no)
SELECT id, n, 'message', 'u_ann', 'ann', now(), json_build_object('text', 'text ' || n), n
FROM trichat.rooms, generate_series(1, 2) n;
INSERT INTO trichat.users (id, name, kind) VALUES ('u_ann', 'ann', 'person'), ('u_1', 'robert', 'person'), ('u_2', 'bob', 'person');
INSERT INTO trichat.names (name_key, name, user_id, free_at)
VALUES ('ann', 'ann', 'u_ann', 'infinity'), ('robert', 'robert', 'u_1', 'infinity'), ('bob', 'bob', 'u_2', 'infinity');
INSERT INTO trichat.standings (room_id, user_id, name, role)
SELECT id, user_id, called, 2 FROM trichat.rooms, (VALUES ('u_1', 'bob'), ('u_2', 'bob')) AS them (user_id, called);
INSERT INTO trichat.invites (code_hash, beginning, room_id, made_by, uses_left, expires_at)
SELECT sha256(beginning::bytea), beginning, id, made_by, 5, now() + interval '1 day'
FROM trichat.rooms, (VALUES ('first', 'bob'), ('second', 'bob'), ('noted', 'bob')) AS them (beginning, made_by);
INSERT INTO trichat.reports (room_id, seq, reporter_id, reporter, reason, resolved_by)
SELECT id, seq, 'u_2', 'bob', 'spam', resolved_by FROM trichat.rooms, (VALUES (1, 'ann'), (2, 'bob')) AS them (seq, resolved_by);
INSERT INTO trichat.reports (room_id, seq, reporter_id, reporter, reason) SELECT id, 1, 'u_1', 'bob', 'open' FROM trichat.rooms;
-- the audit tells the two apart by their ids; of `noted` it says nothing, and both have resolved something
INSERT INTO trichat.audit (actor, actor_id, act, room_id, room, reason)
SELECT actor, actor_id, act, id, 'lobby', reason
FROM trichat.rooms, (
    VALUES ('bob', 'u_1', 'make_invite', 'first'), ('bob', 'u_2', 'make_invite', 'second'), ('ann', 'u_ann', 'resolve', ''),
        ('bob', 'u_1', 'resolve', ''), ('bob', 'u_2', 'resolve', '')
) AS acts (actor, actor_id, act, reason);
