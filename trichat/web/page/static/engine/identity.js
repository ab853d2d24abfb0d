/** Who we are: kept by a token, said at the beginning of each connection. */
import { Refusal } from "./refusal.js";

const KEY = "identity";
/** Milliseconds that becoming somebody may take. */
const PATIENCE_MS = 20_000;

export class Identity {
  #engine;
  #token = null;
  #wish = null; // who we want to be from the next connection on: {fields, settle, fail}

  constructor(engine) {
    this.#engine = engine;
  }

  /** Who we were before the page was loaded. */
  async restore() {
    const kept = await this.#engine.keep.get(KEY);
    if (kept) this.#be(kept);
  }

  /** The first words of a connection. Rejects with a Refusal when it is of no use. */
  async establish(welcome) {
    const { state } = this.#engine;
    Object.assign(state, { limits: welcome.limits, features: welcome.features, guests: welcome.user !== null });
    if (this.#wish) await this.#fulfil(this.#wish, welcome);
    else if (this.#token) await this.#comeBack();
  }

  /** A guest, by a name or the one that the server gives. */
  guest(name) {
    return this.#become(name ? { type: "hello", name } : null);
  }

  login(name, password, code) {
    return this.#become({ type: "login", name, password, code: code || undefined, device: this.#device() });
  }

  register(name, password) {
    return this.#become({ type: "register", name, password, device: this.#device() });
  }

  recover(code, password) {
    return this.#become({ type: "recover", code, password });
  }

  /** Nobody any more: this browser keeps nothing of them, nor what they have typed and not sent. */
  async logout() {
    const { connection, state } = this.#engine;
    const { kind, userId } = state.me ?? {};
    const ended = connection.status.status === "ended"; // by a server that wants this connection no more
    if (kind === "account" && !ended) await connection.ask({ type: "logout" });
    await this.forget();
    if (userId) await this.#wipe(userId);
    connection.restart();
  }

  async #wipe(userId) {
    const { keep } = this.#engine;
    const theirs = (await keep.keys()).filter((key) => key.split("/")[1] === userId);
    await Promise.all(theirs.map((key) => keep.delete(key)));
  }

  async rename(name) {
    const { user, user_id: userId } = await this.#engine.connection.ask({ type: "rename", name });
    await this.#stillMe(user, userId);
  }

  /** The token counts for nothing: nobody is here. In another tab there may be somebody else by now, who stays. */
  async forget() {
    const token = this.#token;
    this.#be(null);
    if (await this.#isKept(token)) await this.#engine.keep.delete(KEY);
  }

  /** Whether a connection that ended so should be followed by another, where its code alone would say no. */
  ended({ code }) {
    if (code === 4009) this.forget();
    return code === 4009 || this.#wish !== null;
  }

  #become(fields) {
    this.#wish?.fail(new Refusal("superseded", "something else was asked for meanwhile"));
    return new Promise((done, failed) => {
      const over = (act) => (result) => {
        clearTimeout(timer);
        if (this.#wish === wish) this.#wish = null;
        act(result);
      };
      const wish = { fields, settle: over(done), fail: over(failed) };
      const slow = new Refusal("offline", "the server does not answer now", { temporary: true });
      const timer = setTimeout(() => wish.fail(slow), PATIENCE_MS);
      this.#wish = wish;
      this.#engine.connection.restart();
    });
  }

  async #fulfil(wish, welcome) {
    try {
      // a guest brings the name into the account
      if (wish.fields?.type === "register" && this.#token) await this.#comeBack();
      const { connection } = this.#engine;
      const { token, user, user_id: userId } = wish.fields ? await connection.askNow(wish.fields) : welcome;
      await this.#keepMe({ token, user, userId });
      this.#engine.afterwards(wish.settle);
    } catch (refusal) {
      if (refusal.code === "connection_lost") throw refusal; // the next connection tries again
      if (this.#token) await this.#comeBack().catch(() => {});
      wish.fail(refusal);
    }
  }

  async #comeBack() {
    try {
      const { user, user_id: userId } = await this.#engine.connection.askNow({ type: "auth", token: this.#token });
      await this.#stillMe(user, userId);
    } catch (refusal) {
      if (refusal.code !== "unauthenticated") throw refusal;
      await this.forget();
    }
  }

  async #keepMe(kept) {
    this.#be(kept);
    await this.#engine.keep.set(KEY, kept);
  }

  async #stillMe(user, userId) {
    const kept = { token: this.#token, user, userId };
    this.#be(kept);
    if (await this.#isKept(kept.token)) await this.#engine.keep.set(KEY, kept);
  }

  async #isKept(token) {
    return (await this.#engine.keep.get(KEY))?.token === token;
  }

  #be(kept) {
    this.#token = kept?.token ?? null;
    const { state } = this.#engine;
    const before = state.me?.userId;
    const kind = kept?.userId.startsWith("g_") ? "guest" : "account";
    const known = before === kept?.userId ? state.me : {};
    state.me = kept && { ...known, user: kept.user, userId: kept.userId, kind };
    if (before !== state.me?.userId) this.#engine.somebodyElse();
    this.#engine.changed("me");
  }

  /** What the list of our logins calls this browser. */
  #device() {
    const agent = globalThis.navigator?.userAgent ?? "";
    const browser = /(Firefox|Edg|Chrome|Safari)\//.exec(agent)?.[1] ?? "browser";
    const system = /(Android|iPhone|iPad|Windows|Mac OS X|Linux)/.exec(agent)?.[1];
    return system ? `${browser} on ${system}` : browser;
  }
}
