/** One WebSocket: commands and their replies, pushes, and whether anybody still answers. */
import { Refusal, lost } from "./refusal.js";

/** Milliseconds. Silence after which we ask; how long it may last then; how long an answer may take; how often we look. */
const QUIET_MS = 20_000;
const PATIENCE_MS = 15_000;
const ANSWER_MS = 60_000;
const LOOK_MS = 2_500;
/** From the server's last word to the end. */
const FAREWELL_MS = 5_000;

export class Line {
  #socket;
  #take;
  #ended;
  #now;
  #asked = new Map(); // id -> {settle, fail, at}, in the order asked
  #nextId = 1;
  #heardAt;
  #deadline = Infinity; // by then something must have been heard
  #watch;
  #ending = null;

  /** `take(frame)` gets what is no reply, `ended({code, reason, resumeAfterMs})` is called once. */
  constructor(url, { WebSocket, now, take, ended }) {
    this.#take = take;
    this.#ended = ended;
    this.#now = now;
    this.#heardAt = now();
    this.#deadline = now() + PATIENCE_MS; // for the welcome
    this.#socket = new WebSocket(url);
    this.#socket.onmessage = ({ data }) => this.#hear(data);
    this.#socket.onclose = ({ code, reason }) => this.#end({ code, reason });
    this.#watch = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Say a command; its reply. Rejects with a Refusal: an `error`, or that the connection was lost. */
  ask(fields) {
    if (this.#ending || this.#socket.readyState !== 1) return Promise.reject(lost());
    const id = this.#nextId++;
    return new Promise((settle, fail) => {
      this.#asked.set(id, { settle, fail, at: this.#now() });
      this.#deadline = Math.min(this.#deadline, this.#now() + PATIENCE_MS);
      this.#socket.send(JSON.stringify({ ...fields, id }));
    });
  }

  /** Find out soon whether the other side is still there. */
  probe(patienceMs) {
    if (this.#ending || this.#socket.readyState !== 1) return;
    this.ask({ type: "ping" }).catch(() => {});
    this.#deadline = Math.min(this.#deadline, this.#now() + patienceMs);
    setTimeout(() => this.#look(), patienceMs + 1);
  }

  /** End it without waiting for the other side, which may be gone. */
  drop(code = 1006, reason = "") {
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#end({ code, reason });
  }

  #look() {
    const now = this.#now();
    if (now >= this.#deadline) this.drop(1006, "no answer");
    else if (now - this.#heardAt >= QUIET_MS && this.#asked.size === 0) this.probe(PATIENCE_MS);
  }

  #hear(data) {
    this.#heardAt = this.#now();
    const frame = JSON.parse(data);
    const asked = frame.id === undefined ? undefined : this.#asked.get(frame.id);
    if (asked) this.#asked.delete(frame.id);
    const [longest] = this.#asked.values(); // pushes show that the server is there, not that it will answer this
    this.#deadline = longest ? Math.min(this.#heardAt + PATIENCE_MS, longest.at + ANSWER_MS) : Infinity;
    if (frame.type === "goodbye") this.#leave(frame);
    // the state changes before whoever asked goes on
    if (frame.type !== "error" || !asked) this.#take(frame);
    if (!asked) return;
    if (frame.type === "error") asked.fail(Refusal.of(frame));
    else asked.settle(frame);
  }

  /** The server closes next; if not, we do. */
  #leave({ code, reason, resume_after_ms: resumeAfterMs }) {
    this.#ending = { code, reason, resumeAfterMs };
    this.#deadline = this.#heardAt + FAREWELL_MS;
  }

  #end(ending) {
    if (this.#watch === null) return;
    clearInterval(this.#watch);
    this.#watch = null;
    this.#ending ??= ending;
    for (const { fail } of this.#asked.values()) fail(lost());
    this.#asked.clear();
    this.#ended(this.#ending);
  }
}
