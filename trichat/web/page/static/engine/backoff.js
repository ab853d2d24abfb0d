/** When to come back after a connection ended: the bands of close codes of the protocol. */

/** Milliseconds: the first delay is under twice the least, the longest under the most. */
const LOST = { least: 100, most: 5_000 };
const ASKED = { least: 500, most: 30_000 };
/** A connection that lived so long was a good one. */
const SETTLED_MS = 10_000;

/** Codes after which coming back the same way would end the same way. */
const FOR_GOOD = new Set([1002, 1007, 1009]);

export class Backoff {
  #random;
  #failures = 0;
  #wasNow = false;

  constructor(random) {
    this.#random = random;
  }

  /** Milliseconds to wait after a connection that lived `livedMs`; null: do not come back by yourself. */
  after({ code, resumeAfterMs = 0 }, livedMs) {
    if (livedMs >= SETTLED_MS) this.reset();
    if (FOR_GOOD.has(code) || (code >= 4000 && code < 4100)) return null;
    if (code === 1011 || (code >= 4100 && code < 4200)) return this.#delay(ASKED);
    // again and again at once is not what "now" means: a server that turns us away is not stormed
    if (code < 4200 || this.#wasNow) return Math.max(this.#delay(LOST), resumeAfterMs);
    this.#wasNow = true;
    return resumeAfterMs;
  }

  reset() {
    this.#failures = 0;
    this.#wasNow = false;
  }

  #delay({ least, most }) {
    this.#failures = Math.min(this.#failures + 1, 16);
    const ceiling = Math.min(most, least * 2 ** this.#failures);
    return least + this.#random() * (ceiling - least);
  }
}
