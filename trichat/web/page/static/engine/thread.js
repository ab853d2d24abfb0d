/** The replies that hang on one message, as the views see them. */
export class Thread {
  loading = false;
  refusal = null;
  unread = 0;
  #room;
  #seq;
  #entries = null;

  constructor(room, seq) {
    this.#room = room;
    this.#seq = seq;
  }

  /** The message that they hang on; null when it is not there (yet). */
  get root() {
    return this.#room.copy.entries.get(this.#seq) ?? null;
  }

  /** Whether older replies exist. */
  get more() {
    return this.#room.copy.threads.get(this.#seq)?.more ?? false;
  }

  /** Oldest first, then what we have typed. */
  get entries() {
    this.#entries ??= [...this.#room.copy.replies(this.#seq), ...this.#room.typed(this.#seq)];
    return this.#entries;
  }

  touch() {
    this.#entries = null;
  }
}
