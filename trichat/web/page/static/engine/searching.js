/** Finding: messages by their words, public rooms by their names. The latest question counts. */
export class Searching {
  #engine;

  constructor(engine) {
    this.#engine = engine;
  }

  /** Into `state.search`; `more`: the next page of the same question. */
  async search(query, { room, more = false } = {}) {
    const { state, connection } = this.#engine;
    const before = more ? state.search?.found.at(-1)?.key : undefined;
    const search = { query, room, found: before ? state.search.found : [], more: false, loading: true };
    this.#show(search);
    let result;
    try {
      const page = await connection.ask({ type: "search", text: query, room, before });
      result = { found: [...search.found, ...page.found], more: page.more };
    } catch (refusal) {
      result = { refusal };
    }
    if (state.search === search) this.#show({ ...search, ...result, loading: false });
    return state.search;
  }

  forget() {
    this.#show(null);
  }

  /** A page of the public rooms, into `state.directory`. */
  async browse(more = false) {
    const { state, connection } = this.#engine;
    const known = more ? state.directory.rooms : [];
    state.directory = { ...state.directory, loading: true };
    this.#engine.changed("rooms");
    try {
      const page = await connection.ask({ type: "rooms", after: more ? state.directory.after : undefined });
      const listed = ({ room, title = "", topic = "", members }) => ({ name: room, title, topic, members });
      const rooms = page.rooms.map(listed);
      state.directory = { rooms: [...known, ...rooms], more: Boolean(page.more), after: rooms.at(-1)?.name };
    } finally {
      state.directory = { ...state.directory, loading: false };
      this.#engine.changed("rooms");
    }
    return state.directory;
  }

  #show(search) {
    this.#engine.state.search = search;
    this.#engine.changed("search");
  }
}
