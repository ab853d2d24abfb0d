/** The one connection of the page: kept up as long as the page lives, however often it breaks. */
import { Backoff } from "./backoff.js";
import { Line } from "./line.js";
import { Refusal, lost } from "./refusal.js";

/** Milliseconds that a command waits for a connection, and that it is repeated while the server says "later". */
const WAIT_MS = 5_000;
/** Of a probe, when the browser tells that something about the network or the page has changed. */
const PROBE_MS = 3_000;

export class Connection {
  #options;
  #line = null;
  #backoff;
  #startedAt = 0;
  #timer = null;
  #waiting = new Set(); // commands that wait for the connection
  #wake = () => this.wake();
  status;

  /**
   * `begin(welcome)` makes a new connection ready (who we are, our rooms); `take(frame)` gets pushes and replies;
   * `ready()` is told when it is; `ended(ending)` answers whether to come back where the code alone would say no;
   * `changed(status)` tells the views.
   */
  constructor(options) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
    this.status = { status: "offline", retryAtMs: null, why: "", degraded: false, node: null, tookMs: null };
    globalThis.addEventListener?.("online", this.#wake);
    globalThis.addEventListener?.("offline", this.#wake);
    globalThis.document?.addEventListener("visibilitychange", this.#wake);
  }

  get online() {
    return this.status.status === "online";
  }

  /** Connect now, whatever we are waiting for. */
  start() {
    clearTimeout(this.#timer);
    if (this.#line) return;
    const { url, WebSocket, now } = this.#options;
    this.#startedAt = now();
    this.#set({ status: "connecting", retryAtMs: null });
    const line = new Line(url, {
      WebSocket,
      now,
      take: (frame) => this.#take(line, frame),
      ended: (ending) => this.#end(line, ending),
    });
    this.#line = line;
  }

  /** Leave this connection and begin a new one: we are somebody else now. */
  restart() {
    const line = this.#line;
    this.#backoff.reset();
    this.#lineIsGone();
    line?.drop();
    this.start();
  }

  /** Something about the network or the page has changed: look at once. */
  wake() {
    if (globalThis.document?.visibilityState === "hidden") return;
    if (this.#line) this.#line.probe(PROBE_MS);
    else if (this.status.status === "offline" && globalThis.navigator?.onLine !== false) this.start();
  }

  close() {
    globalThis.removeEventListener?.("online", this.#wake);
    globalThis.removeEventListener?.("offline", this.#wake);
    globalThis.document?.removeEventListener("visibilitychange", this.#wake);
    clearTimeout(this.#timer);
    const line = this.#line;
    this.#lineIsGone();
    line?.drop();
    this.#set({ status: "ended", why: "closed" });
    this.#release();
  }

  /** A command on the connection that there is, ready or not. */
  askNow(fields) {
    return this.#line ? this.#line.ask(fields) : Promise.reject(lost("there is no connection"));
  }

  /** A command, as soon as we are online, repeated for a while where that may help. Rejects with a Refusal. */
  async ask(fields) {
    const until = this.#options.now() + WAIT_MS;
    for (;;) {
      if (!this.online) await this.#becomeOnline(until);
      try {
        return await this.askNow(fields);
      } catch (refusal) {
        const wait = refusal.retryAfterMs ?? 250;
        const again = refusal.temporary && refusal.code !== "connection_lost";
        if (!again || this.#options.now() + wait > until) throw refusal;
        await new Promise((go) => setTimeout(go, wait));
      }
    }
  }

  #becomeOnline(until) {
    return new Promise((go, fail) => {
      const waiting = { go: () => (clearTimeout(timer), go()), fail };
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        fail(new Refusal("offline", "there is no connection to the server now", { temporary: true }));
      }, Math.max(0, until - this.#options.now()));
      this.#waiting.add(waiting);
    });
  }

  #release() {
    for (const waiting of this.#waiting) waiting.go();
    this.#waiting.clear();
  }

  async #take(line, frame) {
    if (line !== this.#line) return;
    if (frame.type === "status") this.#set({ degraded: frame.fanout !== "ok" });
    if (frame.type !== "welcome") return this.#options.take(frame);
    try {
      await this.#options.begin(frame);
    } catch (error) {
      if (!(error instanceof Refusal)) reportError(error);
      if (line === this.#line) line.drop(1006, error.message);
      return;
    }
    if (line !== this.#line) return;
    const tookMs = this.#options.now() - this.#startedAt;
    this.#set({ status: "online", why: "", retryAtMs: null, node: frame.node, tookMs });
    this.#release();
    this.#options.ready();
  }

  #end(line, ending) {
    if (line !== this.#line) return;
    this.#lineIsGone();
    const now = this.#options.now();
    const again = this.#options.ended(ending);
    const delay = this.#backoff.after(again ? { code: 4200 } : ending, now - this.#startedAt);
    const why = ending.reason || (ending.code === 1006 ? "" : `code ${ending.code}`);
    if (delay === null) return this.#set({ status: "ended", why, retryAtMs: null });
    this.#set({ status: "offline", why, retryAtMs: now + delay });
    this.#timer = setTimeout(() => this.start(), delay);
  }

  #lineIsGone() {
    this.#line = null;
    if (this.status.degraded) this.#set({ degraded: false }); // the next connection says so if it is still so
  }

  #set(fields) {
    this.status = { ...this.status, ...fields };
    this.#options.changed(this.status);
  }
}
