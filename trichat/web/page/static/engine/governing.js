/** What may be done to messages, rooms and people by those who may. The events tell everybody what came of it. */
import { changeId } from "./chance.js";

export class Governing {
  #engine;

  constructor(engine) {
    this.#engine = engine;
  }

  /** A command that writes: its `cid` makes it count once, so that it is said again when the answer was lost. */
  async write(type, room, fields) {
    const { connection, random } = this.#engine;
    const said = { type, room: room.name, ...fields, cid: changeId(random) };
    try {
      return await connection.ask(said);
    } catch (refusal) {
      if (refusal.code !== "connection_lost") throw refusal;
      return connection.ask(said);
    }
  }

  async info(room) {
    const frame = await this.#engine.connection.ask({ type: "room", room: room.name });
    room.govern(frame);
    if (frame.role) room.role = frame.role;
    if (frame.with) room.with = { user: frame.with.user, userId: frame.with.user_id };
    this.#engine.changed("rooms", `room:${room.name}`);
    return room;
  }

  async list(type, room, member, fields) {
    const reply = await this.#engine.connection.ask({ type, room: room.name, ...fields });
    return reply[member];
  }
}
