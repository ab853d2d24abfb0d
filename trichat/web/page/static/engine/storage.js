/** Where the page keeps what must outlive it: who we are, what was typed and is not sent, drafts. Shared by tabs. */

const NAME = "trichat";
const STORE = "kept";

/** Milliseconds that it may take. Browsers are known to hang here. */
const PATIENCE_MS = 5_000;

/** IndexedDB; where the browser has none for us, the memory of this page. Never throws. */
export async function openStorage() {
  try {
    return new Kept(await inTime(open()));
  } catch {
    return new Memory();
  }
}

function open() {
  return new Promise((done, fail) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
    request.onblocked = () => fail(new Error("blocked"));
  });
}

/** Rejects when it takes too long: what is typed is sent all the same. */
function inTime(promise) {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error("the browser's storage does not answer")), PATIENCE_MS);
    promise.then(done, fail).finally(() => clearTimeout(timer));
  });
}

class Kept {
  #database;

  constructor(database) {
    this.#database = database;
    database.onversionchange = () => database.close();
  }

  get(key) {
    return this.#do("readonly", (store) => store.get(key));
  }

  set(key, value) {
    return this.#do("readwrite", (store) => store.put(value, key));
  }

  delete(key) {
    return this.#do("readwrite", (store) => store.delete(key));
  }

  keys() {
    return this.#do("readonly", (store) => store.getAllKeys());
  }

  /** Done when the transaction is, so that it holds whatever happens to the page next. */
  #do(mode, act) {
    const kept = new Promise((done, fail) => {
      const transaction = this.#database.transaction(STORE, mode);
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => done(request.result);
      transaction.onabort = transaction.onerror = () => fail(transaction.error);
    });
    return inTime(kept);
  }
}

class Memory {
  #values = new Map();

  async get(key) {
    return this.#values.get(key);
  }

  async set(key, value) {
    this.#values.set(key, value);
  }

  async delete(key) {
    this.#values.delete(key);
  }

  async keys() {
    return [...this.#values.keys()];
  }
}
