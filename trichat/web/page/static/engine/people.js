/** Who is there: presence, typing, how far others have read, rosters and profiles. */

/** Milliseconds between two words that we are typing, well under the 6 s that one holds. */
const TYPING_MS = 3_000;

export class People {
  #engine;
  #saidTyping = new Map(); // room name -> when
  #away = false;

  constructor(engine) {
    this.#engine = engine;
  }

  /** A new connection: what is not of the log has to be asked for again. */
  ready() {
    if (!this.#engine.state.me) return;
    if (this.#away) this.presence(true).catch(() => {});
    for (const room of this.#engine.state.rooms.values()) if (room.viewed && room.joined) this.follow(room);
    if (this.#engine.state.me.kind === "account") this.profileOfMine().catch(() => {});
  }

  /** All that a room shows beside its messages. What is refused is not shown. */
  follow(room) {
    const { connection, pages, governing } = this.#engine;
    governing.info(room).catch(() => {});
    connection.ask({ type: "presence", room: room.name, follow: true }).catch(() => {});
    pages.pins(room).catch(() => {});
    if (room.role) connection.ask({ type: "seen", room: room.name }).catch(() => {});
  }

  unfollow(room) {
    if (room.joined && this.#engine.connection.online)
      this.#engine.connection.askNow({ type: "presence", room: room.name, follow: false }).catch(() => {});
  }

  presence(away) {
    this.#away = away;
    return this.#engine.connection.ask({ type: "set_presence", state: away ? "away" : "online" });
  }

  /** Say that we are typing; too often is let fall here. */
  async typing(room) {
    const now = this.#engine.now();
    if (now - (this.#saidTyping.get(room.name) ?? -Infinity) < TYPING_MS || !this.#engine.connection.online) return;
    this.#saidTyping.set(room.name, now);
    await this.#engine.connection.askNow({ type: "typing", room: room.name }).catch(() => {});
  }

  // what the server says

  tookPresence(frame) {
    const { people } = this.#engine.state;
    for (const { user, user_id: userId, state, last_seen: lastSeen } of frame.people ?? [])
      people.set(userId, { ...people.get(userId), user, presence: state, lastSeen });
    const room = this.#engine.state.rooms.get(frame.room);
    if (room) Object.assign(room, { online: frame.online, away: frame.away });
    this.#engine.changed("people", `room:${frame.room}`);
  }

  tookTyping({ room: name, people, for_ms: forMs }) {
    const room = this.#engine.state.rooms.get(name);
    if (!room || !people) return;
    room.typists ??= new Map();
    for (const { user, user_id: userId } of people) {
      if (userId === room.me) continue;
      clearTimeout(room.typists.get(userId)?.timer);
      room.typists.set(userId, { user, timer: setTimeout(() => this.stopped(room, userId), forMs) });
    }
    this.#showTyping(room);
  }

  /** Who has sent is not typing any more. */
  stopped(room, userId) {
    const typist = room.typists?.get(userId);
    if (!typist) return;
    clearTimeout(typist.timer);
    room.typists.delete(userId);
    this.#showTyping(room);
  }

  #showTyping(room) {
    room.typing = [...room.typists.values()].map(({ user }) => user);
    this.#engine.changed(`room:${room.name}`);
  }

  tookSeen({ room: name, people }) {
    const room = this.#engine.state.rooms.get(name);
    if (!room) return;
    for (const { user_id: userId, seq } of people)
      room.seenBy.set(userId, Math.max(seq, room.seenBy.get(userId) ?? 0));
    this.#engine.changed(`room:${name}`);
  }

  // rosters and profiles

  /** Who belongs to the room, by name; for guests who is connected. `more`: the next page. */
  async members(room, more = false) {
    const after = more ? room.roster?.people.at(-1)?.user : undefined;
    const type = this.#engine.state.me?.kind === "account" ? "roster" : "members";
    const { members, more: further } = await this.#engine.connection.ask({ type, room: room.name, after });
    const page = members.map(({ user, user_id: userId, role = null, muted }) => ({ user, userId, role, muted }));
    room.roster = { people: after ? [...room.roster.people, ...page] : page, more: further };
    this.#engine.changed(`room:${room.name}`);
    return room.roster;
  }

  async profile(user) {
    const { state, connection } = this.#engine;
    const { user_id: userId, display_name: displayName, ...rest } = await connection.ask({ type: "whois", user });
    const known = { ...state.people.get(userId), user: rest.user, displayName };
    state.people.set(userId, known);
    this.#engine.changed("people");
    return { ...rest, ...known, userId };
  }

  profileOfMine() {
    return this.setProfile({});
  }

  /** Any of displayName, about, avatar, locale, timeZone; all of it as it is then. */
  async setProfile({ displayName, timeZone, about, avatar, locale }) {
    const said = { display_name: displayName, time_zone: timeZone, about, avatar, locale };
    const frame = await this.#engine.connection.ask({ type: "profile", ...said });
    const { state } = this.#engine;
    const mine = { displayName: frame.display_name, timeZone: frame.time_zone };
    state.me = { ...state.me, ...mine, about: frame.about, avatar: frame.avatar, locale: frame.locale };
    this.#engine.changed("me");
    return state.me;
  }
}
