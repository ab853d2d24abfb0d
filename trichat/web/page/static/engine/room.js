/** A room as the views see it, and the copy behind it. Only the engine changes it. */
import { Copy } from "./copy.js";
import { lastOf, mentions } from "./entry.js";

const SHOWN = ["kind", "title", "topic", "archived"];
const RULES = ["slow_s", "send", "history", "guests", "member_limit", "language", "retention_days"];

export class Room {
  kind = "public";
  title = "";
  topic = "";
  with = undefined; // {user, userId} of a direct room
  role = null;
  joined = false;
  lost = null; // the Refusal that says why we hear the room no more
  muted = null; // until when we are (a time, or true: for ever)
  hasLeft = false; // by our own will
  archived = false;
  rules = {};
  epoch = null;
  seq = 0; // the room's last event
  read = 0;
  unread = 0;
  mentions = 0;
  level = "all";
  members = null; // how many are connected
  online = null; // how many people are there, where presence is followed
  last = null; // the entry-like {from, text, ts, seq} of the last message
  loaded = false;
  loading = false;
  loadingOlder = false;
  loadingNewer = false;
  pins = [];
  typing = [];
  seenBy = new Map(); // userId -> seq
  draft = "";
  roster = null;
  threads = new Map(); // root seq -> Thread
  #own = new Map(); // cid -> entry that is typed here and not in the copy
  #countedTo = 0; // what is up to here is in `unread` already
  #line = null; // made when somebody looks

  /** `me` is our userId; `arrived(cid)` is called when what we have typed has come back to us, stored. */
  constructor(name, me, arrived) {
    this.name = name;
    this.me = me;
    this.arrived = arrived;
    this.kind = name.startsWith("~") ? "private" : name.startsWith("@") ? "direct" : "public";
    this.copy = new Copy(me, (frame) => this.claim(frame));
  }

  /** Oldest first: what is stored, then what we have typed, in the order typed. The same array until it changes. */
  get entries() {
    this.#line ??= this.#makeLine();
    return this.#line;
  }

  /** Whether older entries exist. */
  get more() {
    return this.copy.more;
  }

  /** Null at the present; else we look at the past, and newer entries are there: `newer` or `latest` load them. */
  get jump() {
    return this.copy.last === null ? null : { last: this.copy.last };
  }

  /** What is shown may have changed. */
  touch() {
    this.#line = null;
    for (const thread of this.threads.values()) thread.touch();
  }

  #makeLine() {
    const stored = this.copy.line();
    for (const entry of stored) this.#quote(entry);
    return this.jump ? stored : [...stored, ...this.typed(null)];
  }

  /** What we have typed into the main line (null) or a thread, and is not in the copy yet. */
  typed(thread) {
    const typed = [...this.#own.values()].filter((entry) => entry.thread === thread);
    for (const entry of typed) this.#quote(entry);
    return typed;
  }

  #quote(entry) {
    const quoted = entry.replyTo && this.copy.entries.get(entry.replyTo.seq);
    if (quoted) entry.replyTo = { seq: quoted.seq, from: quoted.from, text: quoted.text, deleted: quoted.deleted };
  }

  // what was typed here

  addOwn(entry) {
    this.#own.set(entry.cid, entry);
    this.touch();
  }

  own(key) {
    return [...this.#own.values()].find((entry) => entry.key === key);
  }

  dropOwn(cid) {
    this.#own.delete(cid);
    this.touch();
  }

  /** The next one to be sent: in the order typed. */
  nextToSend() {
    return [...this.#own.values()].find((entry) => entry.state === "sent");
  }

  /** The entry of a message of ours that has come back to us; from now on it belongs to the copy. */
  claim(frame) {
    if (frame.cid === undefined || frame.from_id !== this.me) return undefined;
    const entry = this.#own.get(frame.cid);
    if (this.#own.delete(frame.cid)) this.arrived(frame.cid);
    return entry;
  }

  /** It is stored. Usually its event is on its way to us; if that has been here before, the entry is done. */
  acked(entry, seq) {
    if (!this.#own.has(entry.cid)) return;
    Object.assign(entry, { state: "acked", seq, refusal: undefined, version: entry.version + 1 });
    if (seq <= this.copy.position) this.#own.delete(entry.cid);
    this.touch();
  }

  /** Nothing that is acknowledged waits for its event any more: all up to the position has been heard or read. */
  settleOwn() {
    for (const [cid, entry] of this.#own) if (entry.seq && entry.seq <= this.copy.position) this.#own.delete(cid);
  }

  // what is heard

  /** A `joined`, also of a resume. */
  entered(frame) {
    this.joined = true;
    this.lost = null;
    this.epoch = frame.epoch;
    this.seq = Math.max(this.seq, frame.seq);
    this.members = frame.members;
    this.role = frame.role ?? this.role;
    if (frame.unread !== undefined) this.marked(frame, frame.seq);
  }

  /** How far we have read, as the server knows it; `upTo` what it has counted. */
  marked({ read, unread, mentions: mentioned }, upTo = this.copy.position) {
    if (read < this.read) return;
    this.read = read;
    this.unread = unread;
    this.mentions = mentioned ?? this.mentions;
    this.#countedTo = Math.max(this.#countedTo, upTo);
  }

  /** A `read` of ours; what we have heard meanwhile may not be counted in it. */
  heardRead(frame) {
    const news = [...this.copy.entries.values()].filter(
      (one) => one.kind === "message" && one.seq > frame.read && !one.mine && !one.deleted,
    );
    const unread = Math.max(frame.unread, news.filter((one) => one.thread === null).length);
    const mentioned = Math.max(frame.mentions ?? 0, news.filter((one) => one.mentionsMe).length);
    this.marked({ read: frame.read, unread, mentions: mentioned });
  }

  /** Nothing before `seq` is news. */
  countFrom(seq) {
    this.#countedTo = Math.max(this.#countedTo, seq);
  }

  /** An event of the log; false when it was heard before. */
  hear(event) {
    if (!this.copy.take(event)) return false;
    this.seq = Math.max(this.seq, event.seq);
    if (event.type === "message") this.#hearMessage(event);
    else if (event.type === "room") this.govern(event.changes);
    else if (event.type === "member") this.#hearMember(event);
    else if (event.target === this.last?.seq) this.#changeLast(event);
    if (this.#countedTo < event.seq) this.#countedTo = event.seq;
    this.touch();
    return true;
  }

  #hearMessage(event) {
    this.claim(event); // where the copy does not hold it, it has still arrived
    const mine = event.from_id === this.me;
    const isNews = event.seq > this.#countedTo && event.seq > this.read && !mine && !event.deleted;
    if (isNews && mentions(event, this.me)) this.mentions += 1;
    if (event.thread !== undefined) return;
    this.last = lastOf(event);
    if (mine) {
      this.readTo(event.seq); // who sends has read what came before
    } else if (isNews) {
      this.unread += 1;
    }
  }

  #changeLast({ type, text, superseded }) {
    if (type === "deleted") this.last = { ...this.last, text: "", deleted: true };
    else if (type === "edited" && !superseded) this.last = { ...this.last, text };
  }

  #hearMember(event) {
    if (event.user_id === this.me) {
      if (event.role) this.role = event.role;
      if (["left", "kicked", "banned"].includes(event.change)) this.role = null;
      this.hasLeft = event.change === "left";
      this.muted = event.change === "muted" ? (event.until ?? true) : event.change === "unmuted" ? null : this.muted;
    } else if (event.from_role && event.from_id === this.me) {
      this.role = event.from_role;
    }
  }

  /** Rules of the room, of its first event on. */
  govern(fields) {
    const said = Object.entries(fields).filter(([, value]) => value !== undefined);
    for (const [name, value] of said) if (SHOWN.includes(name)) this[name] = value;
    this.rules = { ...this.rules, ...Object.fromEntries(said.filter(([name]) => RULES.includes(name))) };
  }

  /** We have seen all up to `seq`. True when that is news. */
  readTo(seq) {
    if (seq <= this.read) return false;
    this.read = seq;
    if (seq >= (this.last?.seq ?? 0)) this.unread = this.mentions = 0;
    return true;
  }

  /** A stretch of the log was left out: what is kept from before it is of no use. */
  gap({ to, messages, expired, hidden }) {
    if (to <= this.copy.position) return false;
    const counts = to > this.#countedTo;
    this.copy.position = to;
    this.seq = Math.max(this.seq, to);
    if (expired) this.copy.forgetBefore(to + 1);
    if (counts) this.unread += messages ?? 0;
    this.countFrom(to);
    this.touch();
    return !expired && !hidden;
  }

  /** It is another log, or nothing is certain any more. */
  reset(epoch, head) {
    this.epoch = epoch;
    this.seq = this.copy.position = head;
    this.read = this.unread = this.mentions = 0;
    this.#countedTo = head;
    this.forget();
  }

  /** Nothing is loaded any more. */
  forget() {
    this.copy.clear();
    this.loaded = false;
    this.settleOwn();
    this.touch();
  }

  unjoined(why) {
    this.joined = false;
    this.lost = why;
    this.typing = [];
  }
}
