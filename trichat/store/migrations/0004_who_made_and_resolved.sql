-- Who made a code and who resolved a report are known by their ids, so that erasing a person touches what was theirs
-- and nothing of somebody who had the same name. For what is there already the audit tells, where it is unambiguous.
-- Adds only: nodes of version 3 may run beside it.

ALTER TABLE trichat.reports ADD COLUMN resolved_by_id text COLLATE "C";
UPDATE trichat.reports r SET resolved_by_id = a.actor_id
FROM (
    SELECT room_id, actor, min(actor_id) AS actor_id
    FROM trichat.audit WHERE act = 'resolve' AND actor <> 'erased'
    GROUP BY room_id, actor HAVING count(DISTINCT actor_id) = 1
) a
WHERE r.room_id = a.room_id AND r.resolved_by = a.actor;

ALTER TABLE trichat.invites ADD COLUMN made_by_id text COLLATE "C";
UPDATE trichat.invites i SET made_by_id = a.actor_id
FROM (
    SELECT room_id, reason AS beginning, actor, min(actor_id) AS actor_id
    FROM trichat.audit WHERE act = 'make_invite' AND actor <> 'erased'
    GROUP BY room_id, reason, actor HAVING count(DISTINCT actor_id) = 1
) a
WHERE i.room_id = a.room_id AND i.beginning = a.beginning AND i.made_by = a.actor;

-- last, as every node looks into this table every two seconds
ALTER TABLE trichat.meta ADD COLUMN compatible_from int NOT NULL DEFAULT 3;
ALTER TABLE trichat.meta ALTER COLUMN compatible_from DROP DEFAULT;
UPDATE trichat.meta SET version = 4, compatible_from = 3, applied_at = now();
