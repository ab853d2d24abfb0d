/** Every frame of the server finds its place here, in the order in which it came. */
export class Hearing {
  #engine;

  constructor(engine) {
    this.#engine = engine;
  }

  take(frame) {
    const { rooms, people } = this.#engine;
    switch (frame.type) {
      case "joined":
        return rooms.joined(frame);
      case "left":
        return rooms.left(frame);
      case "error":
        return frame.room && rooms.refused(frame);
      case "gap":
        return this.#gap(frame);
      case "read":
        return this.#read(frame);
      case "typing":
        return people.tookTyping(frame);
      case "seen":
        return people.tookSeen(frame);
      case "presence_state":
      case "presence_diff":
        return people.tookPresence(frame);
      default:
        if (frame.seq !== undefined && frame.from_id !== undefined) this.#event(frame);
    }
  }

  #event(event) {
    const { state, pages, people } = this.#engine;
    const room = state.rooms.get(event.room);
    if (!room) return;
    try {
      if (!room.hear(event)) return;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      room.copy.position = event.seq; // events are missing, and nobody said so: what there is must be read again
      pages.again(room);
    }
    if (event.type === "message") this.#message(room, event);
    else if (room.viewed) this.#follow(room, event);
    if (room.copy.entries.size > 2_000) room.copy.trim("oldest");
    this.#changed(room);
    people.stopped(room, event.from_id);
  }

  #message(room, event) {
    const thread = room.threads.get(event.thread);
    if (thread && event.from_id !== room.me) thread.unread += 1;
  }

  /** What a room shows beside its messages follows the events about it. */
  #follow(room, event) {
    const { pages, people } = this.#engine;
    const pinned = room.pins.some((entry) => entry.seq === event.target);
    if (event.type === "pinned" || event.type === "unpinned" || pinned) pages.pins(room).catch(() => {});
    if (event.type === "member" && room.roster) people.members(room).catch(() => {});
  }

  #gap(frame) {
    const room = this.#engine.state.rooms.get(frame.room);
    if (room?.gap(frame)) this.#engine.pages.again(room);
    if (room) this.#changed(room);
  }

  #read(frame) {
    const { state } = this.#engine;
    const room = state.rooms.get(frame.room);
    if (!room) return;
    if (frame.thread === undefined) room.heardRead(frame);
    else if (room.threads.has(frame.thread)) room.threads.get(frame.thread).unread = frame.unread;
    this.#changed(room);
  }

  #changed(room) {
    const threads = [...room.threads.keys()].map((root) => `thread:${room.name}:${root}`);
    this.#engine.changed("rooms", `room:${room.name}`, ...threads);
  }
}
