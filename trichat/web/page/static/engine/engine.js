/**
 * The chat without the page: one connection, the rooms and who we are, in `state`, which the views read and never
 * write. `act` is what they can do. `subscribe(told)` tells what has changed: "connection", "me", "rooms",
 * "room:NAME", "thread:NAME:SEQ", "people", "search".
 *
 * Whatever is typed is in `storage` before it is sent, and until the server has acknowledged it.
 */
import { actionsOf } from "./actions.js";
import { Connection } from "./connection.js";
import { Governing } from "./governing.js";
import { Hearing } from "./hearing.js";
import { Identity } from "./identity.js";
import { Notices } from "./notices.js";
import { Pages } from "./pages.js";
import { People } from "./people.js";
import { Reading } from "./reading.js";
import { Refusal } from "./refusal.js";
import { Rooms } from "./rooms.js";
import { Searching } from "./searching.js";
import { Sending } from "./sending.js";
import { openStorage } from "./storage.js";

export { Refusal, openStorage };

/** Where the server is that this page came from. */
export function serverOf({ protocol, host }) {
  return `${protocol === "https:" ? "wss" : "ws"}://${host}/ws`;
}

/** Returns when it is known who we were; the connection comes by itself. */
export async function openEngine({
  url = serverOf(globalThis.location),
  storage,
  WebSocket = globalThis.WebSocket,
  now = Date.now,
  random = secureRandom,
} = {}) {
  const engine = new Engine({ url, storage: storage ?? (await openStorage()), WebSocket, now, random });
  await engine.start();
  return engine.face;
}

class Engine {
  #notices = new Notices();
  #afterwards = [];
  #restored = null; // whose typed messages are in their rooms

  constructor({ url, storage, WebSocket, now, random }) {
    Object.assign(this, { keep: forgiving(storage), now, random });
    this.state = emptyState();
    this.hearing = new Hearing(this);
    this.identity = new Identity(this);
    this.rooms = new Rooms(this);
    this.pages = new Pages(this);
    this.sending = new Sending(this);
    this.people = new People(this);
    this.governing = new Governing(this);
    this.searching = new Searching(this);
    this.reading = new Reading(this);
    this.connection = new Connection({
      url,
      WebSocket,
      now,
      random,
      begin: (welcome) => this.#begin(welcome),
      ready: () => this.#ready(),
      take: (frame) => this.hearing.take(frame),
      ended: (ending) => this.#ended(ending),
      changed: (status) => this.#showConnection(status),
    });
    this.#showConnection(this.connection.status);
    this.face = {
      state: this.state,
      act: actionsOf(this),
      subscribe: (told) => this.#notices.subscribe(told),
      close: () => this.connection.close(),
    };
  }

  async start() {
    await this.identity.restore();
    await this.#restore();
    this.connection.start();
  }

  changed(...topics) {
    if (topics.includes("rooms")) this.state.order = this.rooms.order();
    this.#notices.changed(...topics);
  }

  /** Do it when the connection that is being made is ready; at once, when it is. */
  afterwards(act) {
    if (this.connection.online) act();
    else this.#afterwards.push(act);
  }

  /** Another person than before. */
  somebodyElse() {
    this.rooms.clear();
    this.sending.forget();
    this.state.search = null;
    this.state.people.clear();
    this.#restored = null;
    this.changed("search", "people");
  }

  async #restore() {
    this.#restored = this.state.me?.userId;
    await this.sending.restore();
  }

  async #begin(welcome) {
    this.rooms.disconnected();
    await this.identity.establish(welcome);
    if (this.#restored !== this.state.me?.userId) await this.#restore();
    await this.rooms.enter();
  }

  #ready() {
    for (const act of this.#afterwards.splice(0)) act();
    this.sending.ready();
    this.people.ready();
    this.reading.ready();
    this.rooms.watch();
    const forgotten = [...this.state.rooms.values()].filter((room) => room.viewed && room.joined && !room.loaded && !room.loading);
    for (const room of forgotten) this.pages.load(room).catch(() => {});
  }

  #ended(ending) {
    this.rooms.disconnected();
    return this.identity.ended(ending);
  }

  #showConnection(status) {
    this.state.connection = status;
    this.changed("connection");
  }
}

function emptyState() {
  return {
    connection: {},
    me: null,
    guests: null, // whether guests may come in; null until the server has said so
    limits: {},
    features: [],
    rooms: new Map(),
    order: [],
    directory: { rooms: [], more: false, loading: false },
    people: new Map(),
    search: null,
  };
}

/** A browser that does not let us keep anything (full, private) should not end the chat: what is open goes on. */
function forgiving(storage) {
  const attempt = (name, otherwise) => async (...given) => {
    try {
      return await storage[name](...given);
    } catch (error) {
      console.warn(`storage: ${error}`);
      return otherwise;
    }
  };
  return { get: attempt("get"), set: attempt("set"), delete: attempt("delete"), keys: attempt("keys", []) };
}

function secureRandom() {
  return crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32;
}
