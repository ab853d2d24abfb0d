/** One line of a room as the views show it: a message in its present state, or something that happened. */

/** What a list of rooms shows of a room's last message. */
export function lastOf({ seq, from, text = "", ts, deleted = false }) {
  return { seq, from, text, ts, deleted };
}

/** The entry of a `message`: of the log, or (with `rev`) of a page. */
export function messageEntry(frame, me) {
  return {
    key: `m${frame.seq}`,
    seq: frame.seq,
    cid: frame.cid ?? null,
    kind: "message",
    from: frame.from ?? "",
    fromId: frame.from_id ?? "",
    mine: me !== null && frame.from_id === me,
    ts: frame.ts,
    text: frame.text ?? "",
    state: "acked",
    refusal: undefined,
    edited: Boolean(frame.edited),
    deleted: Boolean(frame.deleted),
    reactions: (frame.reactions ?? []).map(({ emoji, count, mine = false }) => ({ emoji, count, mine })),
    replyTo: frame.reply_to === undefined ? null : { seq: frame.reply_to },
    thread: frame.thread ?? null,
    replies: frame.replies ?? 0,
    lastReply: frame.last_reply ?? null,
    pinned: Boolean(frame.pinned),
    mentionsMe: mentions(frame, me),
    rev: frame.rev ?? frame.seq,
    version: 0,
  };
}

/** The entry of what was typed here and is not known to be stored. */
export function typedEntry({ cid, text, replyTo, thread, ts, refusal }, me) {
  return {
    ...messageEntry({ seq: null, cid, text, from: me.user, from_id: me.userId, ts, rev: 0 }, me.userId),
    key: `c${cid}`,
    state: refusal ? "failed" : "sent",
    refusal,
    replyTo: replyTo ? { seq: replyTo } : null,
    thread: thread ?? null,
  };
}

/** The entry of a `member` or `room` event. */
export function eventEntry(event, me) {
  return { ...messageEntry(event, me), kind: event.type, key: `e${event.seq}`, event };
}

/** Whether it says the name of `me`, or of everybody. */
export function mentions(frame, me) {
  return (frame.mentions ?? []).some((one) => one.user_id === "*" || (me !== null && one.user_id === me));
}

/** The messages that an event is about, without the one that it is itself. */
export function touched(event) {
  const about = event.target === undefined ? [] : [event.target];
  if (event.thread !== undefined && (event.type === "message" || event.type === "deleted")) about.push(event.thread);
  return about;
}

/** Take an event about this message, in the log's order. False: its state has that already. */
export function change(entry, event, me) {
  if (event.seq <= entry.rev) return false;
  entry.rev = event.seq;
  entry.version += 1;
  if (event.target !== entry.seq) countReply(entry, event);
  else if (event.type === "edited") edit(entry, event, me);
  else if (event.type === "deleted") remove(entry);
  else if (event.type === "reacted" || event.type === "unreacted") react(entry, event, me);
  else if (event.type === "pinned" || event.type === "unpinned") entry.pinned = event.type === "pinned";
  return true;
}

function countReply(root, event) {
  if (event.type === "message") {
    root.replies += 1;
    root.lastReply = event.seq;
  } else {
    root.replies -= 1;
  }
}

function edit(entry, event, me) {
  entry.edited = true;
  if (event.superseded) return; // a later event has the text
  entry.text = event.text;
  entry.mentionsMe = mentions(event, me);
}

function remove(entry) {
  Object.assign(entry, {
    deleted: true, text: "", mentionsMe: false, replyTo: null, edited: false, pinned: false, reactions: [],
  });
}

function react(entry, event, me) {
  const put = event.type === "reacted";
  const tallies = new Map(entry.reactions.map((tally) => [tally.emoji, tally]));
  const { count = 0, mine = false } = tallies.get(event.emoji) ?? {};
  const now = { emoji: event.emoji, count: count + (put ? 1 : -1), mine: event.from_id === me ? put : mine };
  if (now.count > 0) tallies.set(event.emoji, now);
  else tallies.delete(event.emoji);
  entry.reactions = [...tallies.values()].sort((a, b) => (a.emoji < b.emoji ? -1 : 1));
}
