/**
 * What is typed here: shown at once, kept in storage until it is stored by the server, and sent in the order typed,
 * again after every lost connection and reload, under the same `cid`: so it counts once.
 */
import { changeId } from "./chance.js";
import { typedEntry } from "./entry.js";
import { Refusal } from "./refusal.js";

/** Milliseconds before a refusal that is temporary is tried again, when it does not say. */
const AGAIN_MS = 1_000;

export class Sending {
  #engine;
  #kept = new Map(); // cid -> what is kept
  #busy = new Set(); // rooms whose next message is under way
  #count = 0;

  constructor(engine) {
    this.#engine = engine;
  }

  /** Another person is here: what they have typed on an earlier day. */
  async restore() {
    const { keep, state } = this.#engine;
    this.forget();
    if (!state.me) return;
    const mine = `unsent/${state.me.userId}/`;
    const keys = (await keep.keys()).filter((key) => key.startsWith(mine));
    const all = (await Promise.all(keys.map((key) => keep.get(key)))).filter(Boolean);
    all.sort((a, b) => (a.ts === b.ts ? a.count - b.count : a.ts < b.ts ? -1 : 1));
    for (const kept of all) this.#kept.set(kept.cid, kept);
    for (const kept of all) this.#engine.rooms.upsert(kept.room).wanted = true;
    this.#count = Math.max(0, ...all.map((kept) => kept.count));
  }

  /** Nobody is here, or somebody else. What is in storage stays there. */
  forget() {
    this.#kept = new Map();
  }

  /** A room that has become known: what was typed in it before. */
  fill(room) {
    const { me } = this.#engine.state;
    for (const kept of this.#kept.values()) {
      if (kept.room !== room.name) continue;
      room.addOwn(typedEntry({ ...kept, refusal: kept.refusal && Refusal.from(kept.refusal) }, me));
    }
  }

  /** The entry, which is in the room at once. */
  async send(room, text, { replyTo, thread } = {}) {
    const { state, pages, random } = this.#engine;
    const cid = changeId(random);
    const ts = new Date(this.#engine.now()).toISOString();
    const kept = { cid, room: room.name, text, replyTo, thread, ts, count: ++this.#count };
    const entry = typedEntry(kept, state.me);
    this.#kept.set(cid, kept);
    room.addOwn(entry);
    this.#changed(room, entry);
    if (room.jump && !thread) pages.latest(room).catch(() => {});
    await this.#keep(kept); // before it is sent: a reload in between repeats it rather than loses it
    this.pump(room);
    return entry;
  }

  /** What was refused is tried again. */
  async retry(room, key) {
    const entry = room.own(key);
    if (entry?.state !== "failed") return;
    const kept = this.#kept.get(entry.cid);
    Object.assign(entry, { state: "sent", refusal: undefined, version: entry.version + 1 });
    kept.refusal = undefined;
    this.#changed(room, entry);
    await this.#keep(kept);
    this.pump(room);
  }

  async discard(room, key) {
    const entry = room.own(key);
    if (entry?.state !== "failed" && entry?.state !== "sent") return;
    room.dropOwn(entry.cid);
    this.#changed(room, entry);
    await this.arrived(entry.cid);
  }

  /** It is stored (or given up): nobody has to keep it any more. */
  async arrived(cid) {
    const kept = this.#kept.get(cid);
    if (!kept) return;
    this.#kept.delete(cid);
    await this.#engine.keep.delete(this.#key(cid));
  }

  /** We are online: everything that waits goes out. */
  ready() {
    for (const room of this.#engine.state.rooms.values()) this.pump(room);
  }

  /** Send what waits for this room, as long as we are online and still who typed it. */
  async pump(room) {
    if (this.#busy.has(room)) return;
    this.#busy.add(room);
    try {
      const { connection, rooms } = this.#engine;
      while (connection.online && rooms.holds(room) && (room.joined || room.lost)) {
        const entry = room.nextToSend();
        if (!entry || !(await this.#sendOne(room, entry))) return;
      }
    } finally {
      this.#busy.delete(room);
    }
  }

  /** False: go on when there is a connection again. */
  async #sendOne(room, entry) {
    const { connection } = this.#engine;
    const { cid, text, thread } = entry;
    try {
      if (room.lost) throw room.lost;
      const where = { room: room.name, thread: thread ?? undefined, reply_to: entry.replyTo?.seq };
      const { seq } = await connection.askNow({ type: "send", ...where, text, cid });
      room.acked(entry, seq);
      this.#changed(room, entry);
      await this.arrived(cid);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      if (refusal.code === "connection_lost") return false;
      if (refusal.temporary) await this.#waitFor(room, entry, refusal);
      else await this.#failed(room, entry, refusal);
    }
    return true;
  }

  async #waitFor(room, entry, refusal) {
    const wait = Math.max(refusal.retryAfterMs ?? AGAIN_MS, 50);
    entry.waitsUntilMs = this.#engine.now() + wait;
    entry.version += 1;
    this.#changed(room, entry);
    await new Promise((go) => setTimeout(go, wait));
    entry.waitsUntilMs = undefined;
  }

  async #failed(room, entry, refusal) {
    Object.assign(entry, { state: "failed", refusal, version: entry.version + 1 });
    this.#changed(room, entry);
    const kept = this.#kept.get(entry.cid);
    if (kept) await this.#keep({ ...kept, refusal: refusal.kept() });
  }

  #key(cid) {
    return `unsent/${this.#engine.state.me?.userId}/${cid}`;
  }

  async #keep(kept) {
    await this.#engine.keep.set(this.#key(kept.cid), kept);
  }

  #changed(room, entry) {
    room.touch();
    this.#engine.changed(`room:${room.name}`);
    if (entry.thread !== null) this.#engine.changed(`thread:${room.name}:${entry.thread}`);
  }
}
