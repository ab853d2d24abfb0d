/**
 * A right copy of a part of a room: the rules of "A copy that is right" in the protocol. Pure: no waiting, no network.
 *
 * Events come in order by `take`. Pages of history are announced by `pageBegins` and brought by `pageCame`; what
 * happens in between is put aside, and applied to what the page brings. The main line is kept from `first` on, up to
 * the present, or (after a jump into the past) up to `last`.
 */
import { change, eventEntry, messageEntry, touched } from "./entry.js";

/** Events put aside while pages are under way. More: the copy is `broken`, and has to be loaded again. */
const ASIDE = 5_000;
/** Entries of the main line; when there are more, those far from where somebody reads go. */
const MOST = 2_000;
const KEPT = 1_500;

export class Copy {
  position = 0; // the last `seq` heard
  broken = false;
  #me;
  #claim;
  #pages = 0;
  #generation = 0; // how often all was forgotten
  #aside = [];

  /** `claim(frame)`: the entry of what this page itself has sent, so that it stays the same one. */
  constructor(me, claim) {
    this.#me = me;
    this.#claim = claim;
    this.clear();
  }

  /** Forget all but the position: nothing is loaded. */
  clear() {
    this.entries = new Map(); // seq -> entry, of the main line and of loaded threads
    this.threads = new Map(); // root -> {first, more}
    this.loaded = false;
    this.first = Infinity;
    this.last = null; // null: the present
    this.more = false;
    this.broken = false;
    this.#aside = [];
    this.#generation += 1;
  }

  /** The main line, oldest first. */
  line() {
    return this.#sorted((entry) => entry.thread === null && this.#inWindow(entry.seq));
  }

  /** The loaded replies of a thread, oldest first. */
  replies(root) {
    const first = this.threads.get(root)?.first ?? Infinity;
    return this.#sorted((entry) => entry.thread === root && entry.seq >= first);
  }

  /** An event of the log. False when it was heard before. Throws RangeError when one is missing before it. */
  take(event) {
    if (event.seq <= this.position) return false;
    if (event.seq !== this.position + 1) throw new RangeError(`event ${event.seq} came after ${this.position}`);
    this.position = event.seq;
    if (this.#pages > 0) {
      this.#aside.push(event);
      if (this.#aside.length > ASIDE) this.broken = true;
    }
    this.#apply(event);
    return true;
  }

  /** A page was asked for; what this returns goes to `pageCame` or `pageFailed`. */
  pageBegins() {
    this.#pages += 1;
    return this.#generation;
  }

  pageFailed() {
    this.#pages -= 1;
    if (this.#pages === 0) this.#aside = [];
  }

  /**
   * The messages of a page. `adopt()` moves the window or a thread's beginning over them; `anew`: the main line is
   * this page from now on. False: it was asked for before the copy was cleared, and counts no more.
   */
  pageCame(asked, messages, adopt, anew = false) {
    const counts = asked === this.#generation;
    if (counts) {
      if (anew) this.#leaveLine();
      for (const frame of messages) this.#merge(frame);
      adopt();
      for (const event of this.#aside) this.#apply(event);
    }
    this.pageFailed();
    return counts;
  }

  /** What was before `seq` is kept no more by the server. */
  forgetBefore(seq) {
    for (const at of this.entries.keys()) if (at < seq) this.entries.delete(at);
    this.first = Math.max(this.first, seq);
  }

  /** Let go of what is too much: `from` the oldest, or from the newest (then the window ends in the past). */
  trim(from) {
    const line = this.line();
    if (line.length <= MOST) return;
    const gone = from === "oldest" ? line.slice(0, line.length - KEPT) : line.slice(KEPT);
    for (const entry of gone) if (!this.threads.has(entry.seq)) this.entries.delete(entry.seq);
    if (from === "oldest") {
      this.first = line[line.length - KEPT].seq;
      this.more = true;
    } else {
      this.last = line[KEPT - 1].seq;
    }
  }

  #leaveLine() {
    for (const [seq, entry] of this.entries)
      if (entry.thread === null && !this.threads.has(seq)) this.entries.delete(seq);
  }

  #inWindow(seq) {
    return seq >= this.first && (this.last === null || seq <= this.last);
  }

  #sorted(wanted) {
    return [...this.entries.values()].filter(wanted).sort((a, b) => a.seq - b.seq);
  }

  #apply(event) {
    if (this.#isWanted(event) && !this.entries.has(event.seq)) this.#add(event);
    for (const seq of touched(event)) {
      const entry = this.entries.get(seq);
      if (entry) change(entry, event, this.#me);
    }
  }

  #isWanted(event) {
    if (event.type === "message" && event.thread !== undefined) return this.threads.has(event.thread);
    const shown = event.type === "message" || event.type === "member" || event.type === "room";
    return shown && this.loaded && this.last === null && event.seq >= this.first;
  }

  #add(event) {
    if (event.type === "message") this.#merge(event);
    else this.entries.set(event.seq, eventEntry(event, this.#me));
  }

  /** Of two states of a message the one with the greater `rev` is right. The entry stays the same object. */
  #merge(frame) {
    const fresh = messageEntry(frame, this.#me);
    const known = this.entries.get(frame.seq);
    if (known && known.rev >= fresh.rev) return;
    const entry = known ?? this.#claim(frame) ?? fresh;
    if (entry !== fresh) Object.assign(entry, fresh, { key: entry.key, version: entry.version + 1 });
    this.entries.set(frame.seq, entry);
  }
}
