/** Everything that a person can do, as the views call it. Each returns a promise; what is refused rejects. */

export function actionsOf(engine) {
  const { connection, identity, rooms, pages, sending, people, governing, searching, reading } = engine;
  const ask = (type, fields) => connection.ask({ type, ...fields });
  const write = (type, name, fields) => governing.write(type, rooms.get(name), fields);
  const list = (type, name, member, fields) => governing.list(type, rooms.get(name), member, fields);

  return asynchronous({
    // who we are
    guest: (name) => identity.guest(name),
    login: (name, password, code) => identity.login(name, password, code),
    register: (name, password) => identity.register(name, password),
    recover: (code, password) => identity.recover(code, password),
    logout: () => identity.logout(),
    rename: (name) => identity.rename(name),
    setProfile: (fields) => people.setProfile(fields),
    password: (old, fresh) => ask("password", { old, new: fresh }),
    sessions: async () => (await ask("sessions")).sessions,
    endSession: (session) => ask("revoke", { session }),
    endOtherSessions: () => ask("revoke", { all: true }),
    reconnect: () => connection.start(),

    // rooms
    open: async (name) => {
      const room = await rooms.open(name);
      await reading.recallDraft(room);
      people.follow(room);
      return room;
    },
    close: (name) => {
      const room = engine.state.rooms.get(name);
      if (room) people.unfollow(room);
      rooms.close(name);
    },
    leave: (name) => rooms.leave(name),
    make: async ({ name, title, kind = "public", topic }) => {
      const { room } = await ask("create", { kind, room: kind === "public" ? name : undefined, title, topic });
      await rooms.open(room);
      return room;
    },
    direct: async (user) => {
      const { room } = await ask("direct", { user });
      rooms.upsert(room).with ??= { user };
      await rooms.open(room);
      return room;
    },
    invite: (name, user) => write("invite", name, { user }),
    inviteCode: (name, { uses, forS } = {}) => ask("invite", { room: name, uses, for_s: forS }),
    invites: (name) => list("invites", name, "invites"),
    uninvite: (name, code) => ask("uninvite", { room: name, code }),
    accept: async (code) => (await ask("accept", { code })).room,
    browse: (more) => searching.browse(more),

    // messages
    send: (name, text, options) => sending.send(rooms.get(name), text, options),
    retry: (name, key) => sending.retry(rooms.get(name), key),
    discard: (name, key) => sending.discard(rooms.get(name), key),
    edit: (name, seq, text) => write("edit", name, { seq, text }),
    remove: (name, seq, reason) => write("delete", name, { seq, reason: reason || undefined }),
    revisions: (name, seq) => list("revisions", name, "revisions", { seq }),
    react: (name, seq, emoji, on = true) => write(on ? "react" : "unreact", name, { seq, emoji }),
    reactions: (name, seq) => list("reactions", name, "reactions", { seq }),
    pin: (name, seq, on = true) => write(on ? "pin" : "unpin", name, { seq }),
    older: (name) => pages.older(rooms.get(name)),
    newer: (name) => pages.newer(rooms.get(name)),
    latest: (name) => pages.latest(rooms.get(name)),
    around: (name, seq) => pages.around(rooms.get(name), seq),
    thread: (name, root) => pages.thread(rooms.get(name), root),
    olderInThread: (name, root) => pages.olderInThread(rooms.get(name), root),
    read: (name, seq) => reading.read(rooms.get(name), seq),
    readThread: (name, root) => reading.readThread(rooms.get(name), root),
    typing: (name) => people.typing(rooms.get(name)),
    draft: (name, text) => reading.draft(rooms.get(name), text),
    level: async (name, level) => {
      rooms.get(name).level = (await ask("notify", { room: name, level })).level;
      engine.changed("rooms", `room:${name}`);
    },
    search: (query, options) => searching.search(query, options),
    forgetSearch: () => searching.forget(),

    // people
    members: (name, more) => people.members(rooms.get(name), more),
    info: (name) => governing.info(rooms.get(name)),
    presence: (away) => people.presence(away),
    profile: (user) => people.profile(user),
    block: (user, on = true) => ask(on ? "block" : "unblock", { user }),
    blocks: async () => (await ask("blocks")).blocked,

    // moderation
    kick: (name, user, reason) => write("kick", name, { user, reason: reason || undefined }),
    ban: (name, user, { forS, reason } = {}) => write("ban", name, { user, for_s: forS, reason: reason || undefined }),
    unban: (name, user) => write("unban", name, { user }),
    mute: (name, user, { forS, reason } = {}) =>
      write("mute", name, { user, for_s: forS, reason: reason || undefined }),
    unmute: (name, user) => write("unmute", name, { user }),
    bans: (name) => list("bans", name, "people"),
    role: (name, user, role) =>
      role === "owner" ? write("transfer", name, { user }) : write("role", name, { user, role }),
    set: (name, fields) => write("edit_room", name, fields),
    archive: (name, on = true) => write("archive", name, { archived: on }),
    deleteRoom: (name) => ask("delete_room", { room: name }),
    report: (name, seq, reason) => ask("report", { room: name, seq, reason: reason || undefined }),
    reports: (name, all = false) => list("reports", name, "reports", { all: all || undefined }),
    resolve: (name, report, note) => ask("resolve", { room: name, report, note: note || undefined }),
    audit: (name, before) => list("audit", name, "entries", { before }),
  });
}

/** What an action throws at once rejects as well. */
function asynchronous(actions) {
  return Object.fromEntries(Object.entries(actions).map(([name, act]) => [name, async (...given) => act(...given)]));
}
