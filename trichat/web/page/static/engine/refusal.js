/** What the server (or this engine, when there is no server) refused, and whether to try again. */
export class Refusal extends Error {
  constructor(code, message, { field, temporary = false, retryAfterMs } = {}) {
    super(message);
    this.name = "Refusal";
    this.code = code;
    this.field = field;
    this.temporary = temporary;
    this.retryAfterMs = retryAfterMs;
  }

  /** Of an `error` frame. */
  static of(frame) {
    return new Refusal(frame.code, frame.message, {
      field: frame.field,
      temporary: frame.temporary === true,
      retryAfterMs: frame.retry_after_ms,
    });
  }

  /** Of a refusal that was kept as plain data. */
  static from(kept) {
    return new Refusal(kept.code, kept.message, kept);
  }

  /** What can be kept in storage. */
  kept() {
    const { code, message, field, temporary, retryAfterMs } = this;
    return { code, message, field, temporary, retryAfterMs };
  }
}

/** There is no connection: what was asked may or may not have happened. */
export function lost(why = "the connection was lost") {
  return new Refusal("connection_lost", why, { temporary: true });
}
