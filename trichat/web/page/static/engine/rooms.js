/** The rooms that we are in: entered, resumed after each lost connection, and in their order. */
import { lastOf } from "./entry.js";
import { Refusal } from "./refusal.js";
import { Room } from "./room.js";

/** How often a resume is repeated for rooms whose store is away, before the connection is given up. */
const TRIES = 20;
/** Milliseconds between looks for rooms that others have brought us into; `inbox` is not told by itself. */
const LOOK_MS = 15_000;

export class Rooms {
  #engine;
  #refused = new Map(); // of a resume: room -> error frame
  #brought = []; // rooms of a guest who has become an account
  #looking = 0; // the timer

  constructor(engine) {
    this.#engine = engine;
  }

  get(name) {
    const room = this.#engine.state.rooms.get(name);
    if (!room) throw new Refusal("no_such_room", `${name} is not open`);
    return room;
  }

  /** Whether it is still a room of who is here: not one that was left, nor one of the person before. */
  holds(room) {
    return this.#engine.state.rooms.get(room.name) === room;
  }

  /** Another person is here: nothing of the one before is left, but a guest brings the rooms into an account. */
  clear() {
    const { state } = this.#engine;
    const all = [...state.rooms.values()];
    if (state.me?.kind === "account")
      this.#brought = all.filter((room) => room.joined && room.guest).map((room) => room.name);
    state.rooms.clear();
    this.#engine.changed("rooms", ...all.map((room) => `room:${room.name}`));
  }

  /** What begins each connection: which rooms there are, and all that was missed in them. */
  async enter() {
    const { state } = this.#engine;
    if (!state.me) return;
    if (state.me.kind === "account") await this.#readInbox();
    else await this.#recall();
    const rooms = [...state.rooms.values()].filter((room) => room.wanted && !room.lost);
    rooms.sort((a, b) => b.loaded - a.loaded || b.unread - a.unread);
    const most = state.limits.rooms ?? 200;
    await this.#resume(rooms.filter((room) => room.epoch).slice(0, most));
    const now = (fields) => this.#engine.connection.askNow(fields);
    const brought = this.#brought.splice(0).map((name) => this.upsert(name));
    for (const room of brought) room.wanted = true;
    for (const room of [...rooms.filter((one) => !one.epoch), ...brought]) {
      await this.#join(room, now).catch((refusal) => {
        if (refusal.temporary) throw refusal; // another connection tries again
      });
    }
    this.#engine.changed("rooms");
  }

  /** The room, known from now on. */
  upsert(name) {
    const { state, sending } = this.#engine;
    let room = state.rooms.get(name);
    if (!room) {
      room = new Room(name, state.me.userId, (cid) => sending.arrived(cid));
      room.guest = state.me.kind === "guest";
      state.rooms.set(name, room);
      sending.fill(room);
    }
    return room;
  }

  /** Join it (and make it, when there is none); returns when its latest messages are here. */
  async open(name) {
    const { state, pages, connection } = this.#engine;
    if (!state.me) throw new Refusal("unauthenticated", "say who you are first");
    const known = state.rooms.get(name);
    const room = known ?? this.upsert(name);
    try {
      if (!room.joined) await this.#join(room, (fields) => connection.ask(fields));
    } catch (refusal) {
      if (!known) state.rooms.delete(name);
      throw refusal;
    }
    room.viewed = true;
    if (!room.loaded) await pages.load(room);
    return room;
  }

  async #join(room, ask) {
    try {
      await ask({ type: "join", room: room.name });
    } catch (refusal) {
      if (!refusal.temporary) room.unjoined(refusal);
      throw refusal;
    }
    room.wanted = true;
    this.#engine.sending.pump(room);
    await this.remember();
  }

  async leave(name) {
    const room = this.get(name);
    room.leaving = true;
    try {
      await this.#engine.connection.ask({ type: "leave", room: name });
    } catch (refusal) {
      if (refusal.code !== "not_joined") throw refusal;
    } finally {
      room.leaving = false;
    }
    this.#engine.state.rooms.delete(name);
    await this.remember();
    this.#engine.changed("rooms", `room:${name}`);
  }

  /** Not looked at any more. It is listened to all the same; much of it is loaded again when it is opened. */
  close(name) {
    const room = this.#engine.state.rooms.get(name);
    if (!room) return;
    room.viewed = false;
    if (room.copy.entries.size > 500 || room.jump) room.forget();
  }

  // what the server says

  joined(frame) {
    const room = this.upsert(frame.room);
    const isNew = !room.joined && frame.id !== undefined;
    if (isNew) {
      room.reset(frame.epoch, frame.seq);
      if (frame.read === undefined) room.read = frame.seq; // a guest's marker is this browser's
    }
    room.wanted = true;
    room.entered(frame);
    this.#engine.changed("rooms", `room:${room.name}`);
  }

  left({ room: name }) {
    const room = this.#engine.state.rooms.get(name);
    if (!room || room.leaving) return;
    room.wanted = false;
    if (room.hasLeft) this.#engine.state.rooms.delete(name); // by our own will, on another device
    room.unjoined(new Refusal("removed", "you were removed from this room"));
    this.#engine.changed("rooms", `room:${name}`);
  }

  refused(frame) {
    this.#refused.set(frame.room, frame);
  }

  /** From now on rooms appear by themselves that others have brought us into: direct and private ones. */
  watch() {
    clearInterval(this.#looking);
    if (this.#engine.state.me?.kind !== "account") return;
    this.#looking = setInterval(() => this.#lookForNew().catch(() => {}), LOOK_MS);
  }

  async #lookForNew() {
    const { state, connection } = this.#engine;
    const ask = (fields) => connection.ask(fields);
    for await (const listed of this.#inbox(ask)) {
      if (state.rooms.has(listed.room)) continue; // what we know of it is newer
      this.#list(listed);
      await this.#join(this.get(listed.room), ask);
    }
  }

  /** No connection: nothing is heard until the rooms are resumed. */
  disconnected() {
    clearInterval(this.#looking);
    for (const room of this.#engine.state.rooms.values()) {
      room.joined = false;
      room.typing = [];
    }
  }

  async #readInbox() {
    for await (const listed of this.#inbox((fields) => this.#engine.connection.askNow(fields))) this.#list(listed);
  }

  /** All that is in the inbox, page by page. */
  async *#inbox(ask) {
    let after;
    for (let more = true; more; ) {
      const page = await ask({ type: "inbox", after });
      yield* page.rooms;
      more = page.more && page.rooms.length > 0;
      after = page.rooms.at(-1)?.room;
    }
  }

  #list(listed) {
    const room = this.upsert(listed.room);
    const { title, kind, role, level, last } = listed;
    Object.assign(room, { title: title ?? room.title, kind, role, level, wanted: true, lost: null });
    if (listed.with) room.with = { user: listed.with.user, userId: listed.with.user_id };
    if (!room.epoch) room.reset(listed.epoch, listed.seq);
    if (last) room.last = lastOf(last);
    room.marked(listed, listed.seq);
  }

  async #resume(rooms) {
    let wanted = rooms;
    for (let tries = 1; wanted.length > 0; tries += 1) {
      this.#refused.clear();
      const positions = wanted.map((room) => [room.name, { since: room.copy.position, epoch: room.epoch }]);
      await this.#engine.connection.askNow({ type: "resume", rooms: Object.fromEntries(positions) });
      wanted = wanted.filter((room) => this.#comesAgain(room));
      if (wanted.length === 0) return;
      if (tries === TRIES) throw new Refusal("unavailable", "the rooms cannot be resumed now", { temporary: true });
      if ([...this.#refused.values()].some((frame) => frame.temporary)) await new Promise((go) => setTimeout(go, 500));
    }
  }

  #comesAgain(room) {
    const error = this.#refused.get(room.name);
    if (!error) return false;
    if (error.code === "bad_position" && error.epoch) {
      room.reset(error.epoch, error.head); // it is another log now
      this.#engine.pages.again(room);
      return true;
    }
    if (error.temporary) return true;
    room.unjoined(Refusal.of(error));
    room.wanted = false;
    return false;
  }

  // a guest is a member of no room: this browser remembers which they were in

  #key() {
    return `rooms/${this.#engine.state.me.userId}`;
  }

  async #recall() {
    for (const name of (await this.#engine.keep.get(this.#key())) ?? []) this.upsert(name).wanted = true;
  }

  async remember() {
    const { state, keep } = this.#engine;
    if (state.me?.kind !== "guest") return;
    const names = [...state.rooms.values()].filter((room) => room.wanted).map((room) => room.name);
    await keep.set(this.#key(), names);
  }

  /** Those with something for us first, then by name. */
  order() {
    const rooms = [...this.#engine.state.rooms.values()].filter((room) => room.joined || room.wanted || room.lost);
    return rooms.sort((a, b) => rank(a) - rank(b) || (label(a) < label(b) ? -1 : 1)).map((room) => room.name);
  }
}

function rank(room) {
  if (room.mentions > 0 || (room.kind === "direct" && room.unread > 0)) return 0;
  return room.unread > 0 && room.level === "all" ? 1 : 2;
}

function label(room) {
  return (room.with?.user ?? (room.title || room.name)).toLowerCase();
}
