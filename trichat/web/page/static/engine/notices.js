/** Tells subscribers what has changed, by topics: at most once in a microtask, however much happened. */
export class Notices {
  #subscribers = new Set();
  #topics = new Set();

  /** `told` gets a Set of topics. Returns what ends the subscription. */
  subscribe(told) {
    this.#subscribers.add(told);
    return () => this.#subscribers.delete(told);
  }

  changed(...topics) {
    if (this.#topics.size === 0) queueMicrotask(() => this.#tell());
    for (const topic of topics) this.#topics.add(topic);
  }

  #tell() {
    const topics = this.#topics;
    this.#topics = new Set();
    for (const told of [...this.#subscribers]) {
      try {
        told(topics);
      } catch (error) {
        reportError(error); // one view's bug is not the others'
      }
    }
  }
}
