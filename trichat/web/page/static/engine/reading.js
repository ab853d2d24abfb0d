/** How far we have read: shown at once, told to the server a moment later, the last place of several. */

/** Milliseconds. */
const TOLD_AFTER_MS = 400;

export class Reading {
  #engine;
  #timers = new Map(); // room -> timer
  #untold = new Set(); // rooms whose marker the server did not hear of

  constructor(engine) {
    this.#engine = engine;
  }

  async read(room, seq) {
    if (!room.readTo(Math.min(seq, room.seq))) return;
    this.#engine.changed("rooms", `room:${room.name}`);
    if (this.#engine.state.me?.kind !== "account" || this.#timers.has(room)) return;
    this.#timers.set(room, setTimeout(() => this.#tell(room), TOLD_AFTER_MS));
  }

  async #tell(room) {
    this.#timers.delete(room);
    const { connection, rooms } = this.#engine;
    if (!rooms.holds(room)) return;
    try {
      await connection.ask({ type: "read", room: room.name, seq: room.read });
    } catch (refusal) {
      if (refusal.temporary) this.#untold.add(room);
    }
  }

  /** We are online: what was read without a connection is told. */
  ready() {
    const rooms = [...this.#untold];
    this.#untold.clear();
    for (const room of rooms) this.#tell(room);
  }

  async readThread(room, root) {
    const last = room.threads.get(root)?.entries.findLast((entry) => entry.state === "acked");
    if (!last || this.#engine.state.me?.kind !== "account") return;
    await this.#engine.connection.ask({ type: "read", room: room.name, thread: root, seq: last.seq });
  }

  /** What is typed and not sent, for the next time the room is opened. */
  async draft(room, text) {
    room.draft = text;
    const key = `draft/${room.me}/${room.name}`;
    await (text ? this.#engine.keep.set(key, text) : this.#engine.keep.delete(key));
  }

  async recallDraft(room) {
    room.draft ||= (await this.#engine.keep.get(`draft/${room.me}/${room.name}`)) ?? "";
  }
}
