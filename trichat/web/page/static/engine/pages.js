/** Pages of history: of a room, of its past, of threads; and what is pinned. */
import { lastOf, messageEntry } from "./entry.js";
import { Thread } from "./thread.js";

const PAGE = 50;
/** Milliseconds before a room whose store is away is read again. */
const AGAIN_MS = 5_000;

export class Pages {
  #engine;

  constructor(engine) {
    this.#engine = engine;
  }

  /** The latest messages. */
  async load(room) {
    room.loading = true;
    this.#changed(room);
    try {
      await this.#read(room, {}, (page) => this.#show(room, page, page.more, null), true);
    } finally {
      room.loading = false;
      this.#changed(room);
    }
    if (room.copy.broken) this.again(room);
  }

  latest(room) {
    return room.jump || !room.loaded ? this.load(room) : Promise.resolve();
  }

  /** What was loaded is of no use any more. */
  again(room) {
    const { viewed, name } = room;
    const roots = [...room.threads.keys()];
    room.forget();
    this.#changed(room);
    if (!viewed) return;
    const { connection } = this.#engine;
    this.#engine.afterwards(() => {
      this.load(room).catch((refusal) => {
        // with a connection nobody else would ask again
        if (refusal.temporary && connection.online) setTimeout(() => room.loaded || this.again(room), AGAIN_MS);
      });
      if (connection.online) for (const root of roots) this.thread(room, root).catch(() => {});
    });
  }

  async older(room) {
    const { copy } = room;
    if (room.loadingOlder || !copy.more) return;
    room.loadingOlder = true;
    this.#changed(room);
    try {
      const { first } = copy;
      await this.#read(room, { before: first }, (page) => {
        if (copy.first !== first) return; // somebody has jumped meanwhile
        copy.first = page.messages[0]?.seq ?? 1;
        copy.more = page.more;
      });
      copy.trim("newest");
    } finally {
      room.loadingOlder = false;
      this.#changed(room);
    }
  }

  /** Towards the present, after a jump. */
  async newer(room) {
    const { copy } = room;
    if (room.loadingNewer || copy.last === null) return;
    room.loadingNewer = true;
    try {
      const { last } = copy;
      await this.#read(room, { after: last }, (page) => {
        if (copy.last !== last) return;
        copy.last = page.more ? (page.messages.at(-1)?.seq ?? copy.last) : null;
      });
      copy.trim("oldest");
    } finally {
      room.loadingNewer = false;
      this.#changed(room);
    }
  }

  /** Jump to a message of the main line. */
  async around(room, seq) {
    if (room.entries.some((entry) => entry.seq === seq)) return;
    await this.#read(room, { around: seq }, (page) => {
      this.#show(room, page, page.more_before, page.more_after ? page.messages.at(-1).seq : null);
    }, true);
  }

  /** The replies of a thread; they stay right from now on. */
  async thread(room, root) {
    if (!room.threads.has(root)) room.threads.set(root, new Thread(room, root));
    const thread = room.threads.get(root);
    thread.unread = 0;
    if (room.copy.threads.has(root) || thread.loading) return thread;
    thread.loading = true;
    try {
      if (!room.copy.entries.has(root)) await this.#read(room, { around: root, limit: 1 });
      await this.#read(room, { thread: root }, (page) => {
        room.copy.threads.set(root, { first: page.messages[0]?.seq ?? root, more: page.more });
      });
    } finally {
      thread.loading = false;
      this.#changed(room);
    }
    return thread;
  }

  async olderInThread(room, root) {
    const bounds = room.copy.threads.get(root);
    if (!bounds?.more || bounds.loading) return;
    bounds.loading = true;
    try {
      await this.#read(room, { thread: root, before: bounds.first }, (page) => {
        Object.assign(bounds, { first: page.messages[0]?.seq ?? bounds.first, more: page.more });
      });
    } finally {
      bounds.loading = false;
      this.#changed(room);
    }
  }

  async pins(room) {
    const { messages } = await this.#engine.connection.ask({ type: "pins", room: room.name });
    room.pins = messages.map((frame) => {
      const known = room.copy.entries.get(frame.seq);
      return known && known.rev >= frame.rev ? known : messageEntry(frame, room.me);
    });
    this.#changed(room);
  }

  #show(room, page, more, last) {
    const { copy } = room;
    copy.first = (more && page.messages[0]?.seq) || 1;
    copy.more = more;
    copy.last = last;
    copy.loaded = room.loaded = true;
    const newest = page.messages.at(-1);
    if (last === null && newest && newest.seq >= (room.last?.seq ?? 0))
      room.last = lastOf(newest);
  }

  async #read(room, fields, adopt = () => {}, anew = false) {
    const asked = room.copy.pageBegins();
    let page;
    try {
      page = await this.#engine.connection.ask({ type: "history", room: room.name, limit: PAGE, ...fields });
    } catch (refusal) {
      room.copy.pageFailed();
      throw refusal;
    }
    room.copy.pageCame(asked, page.messages, () => adopt(page), anew);
    room.settleOwn();
    this.#changed(room);
  }

  #changed(room) {
    room.touch();
    this.#engine.changed(`room:${room.name}`, ...[...room.threads.keys()].map((root) => `thread:${room.name}:${root}`));
  }
}
