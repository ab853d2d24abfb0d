// The scrolling list of entries, for a room and for a thread: keyed nodes, a place that stays, and what was read.
import { arrange, button, el, icon, keepReachable, roving } from './dom.js';
import { entryNode, signature } from './entry.js';
import { count, day, sameDay } from './format.js';
import { offerTools } from './tools.js';

const GROUP_MS = 5 * 60_000; // later than this after the last message of the same author a new group begins
const NEAR_PX = 60; // so near to the bottom counts as being there
const FETCH_PX = 600; // so near to the top older entries are asked for

/**
 * `source()` is asked anew at each update: {entries, more, loading, older(), place, label, newAfter, read?(seq),
 * elsewhere?, newer?(), latest?(), lead?, empty?}; `elsewhere`: we look at the past, and newer entries are there.
 */
export function makeTimeline(app, room, source) {
  const list = el('ol.entries');
  const end = el('p.seen', { 'aria-live': 'off' });
  const top = el('p.beginning');
  const box = el('div.scroll', { role: 'log', 'aria-live': 'polite', 'aria-label': source().label, 'aria-busy': 'true', tabindex: 0 },
    top, list, end);
  const latest = button('', toBottom, 'button.latest');
  latest.hidden = true;
  const node = el('div.timeline', {}, box, latest);
  const kept = new Map(); // key -> {signature, node}
  let stuck = true; // to the end, where news come
  let lastTop = 0;
  let placed = false;
  let unseen = 0;
  let lastKey = null;
  let wasElsewhere = false;
  let asked = false;
  let readSoon = 0;

  roving(list, 'li.entry');
  offerTools(app, room, list, source().place, (key) => source().entries.find((entry) => entry.key === key));
  box.addEventListener('scroll', onScroll, { passive: true });
  const resized = new ResizeObserver(() => stuck && placed && (box.scrollTop = box.scrollHeight));
  resized.observe(box);
  resized.observe(list);
  const attention = () => markRead();
  addEventListener('focus', attention);

  function update() {
    const now = source();
    const anchor = stuck ? null : firstVisible();
    const before = anchor?.getBoundingClientRect().top;
    box.setAttribute('aria-busy', String(Boolean(!placed || now.loading || asked)));
    arrange(list, nodesOf(now));
    keepReachable(list, 'li.entry');
    top.textContent = topText(now);
    const seen = now.seen ?? '';
    if (end.textContent !== seen) end.textContent = seen;
    countUnseen(now);
    if (!placed && now.entries.length) placeFirst();
    else if (stuck) box.scrollTop = box.scrollHeight;
    else if (anchor?.isConnected) box.scrollTop += anchor.getBoundingClientRect().top - before;
    showLatest();
    fetchMore();
    markRead();
  }

  function nodesOf(now) {
    const nodes = now.lead ? [now.lead] : [];
    const alive = new Set();
    let last = null;
    let line = false;
    // The line stands where new begins, which is known when what is before it is here.
    const known = now.newAfter !== null && (!now.more || now.entries[0]?.seq <= now.newAfter);
    for (const entry of now.entries) {
      if (entry.ts && (!last?.ts || !sameDay(last.ts, entry.ts))) nodes.push(separator(alive, `day ${day(entry.ts)}`, day(entry.ts)));
      if (!line && known && entry.seq > now.newAfter && entry.kind === 'message' && !entry.mine) {
        nodes.push(separator(alive, 'new', 'New messages'));
        line = true;
      }
      const head = !last || last.kind !== 'message' || last.fromId !== entry.fromId || Boolean(entry.replyTo)
        || new Date(entry.ts ?? Date.now()) - new Date(last.ts ?? Date.now()) > GROUP_MS;
      nodes.push(entryFor(alive, entry, head, now.place));
      last = entry;
    }
    for (const key of kept.keys()) if (!alive.has(key)) kept.delete(key);
    return nodes;
  }

  function separator(alive, key, text) {
    alive.add(key);
    if (!kept.has(key)) kept.set(key, { node: el(key === 'new' ? 'li.separator.new' : 'li.separator', {}, el('span', {}, text)) });
    return kept.get(key).node;
  }

  function entryFor(alive, entry, head, place) {
    alive.add(entry.key);
    const sign = signature(app, entry, head);
    const known = kept.get(entry.key);
    if (known?.sign === sign) return known.node;
    const fresh = entryNode(app, room, entry, head, place);
    if (known?.node.isConnected) replaceKept(known.node, fresh);
    kept.set(entry.key, { sign, node: fresh });
    return fresh;
  }

  /** Who stands on an entry with the keyboard goes on standing there when it changes. */
  function replaceKept(old, fresh) {
    const focused = old.contains(document.activeElement);
    if (old.getAttribute('tabindex') === '0') fresh.setAttribute('tabindex', '0');
    old.replaceWith(fresh);
    if (focused) fresh.focus();
  }

  function topText(now) {
    if (now.loading) return 'Loading older messages…';
    if (now.more) return '';
    return now.entries.length ? 'This is where it begins' : now.empty ?? 'Nothing was said here yet';
  }

  function placeFirst() {
    placed = true;
    const line = list.querySelector('.separator.new');
    if (line) line.scrollIntoView({ block: 'center' });
    else box.scrollTop = box.scrollHeight;
    onScroll();
    // What comes from now on is news to be read out; what was there is not.
    requestAnimationFrame(() => box.setAttribute('aria-busy', 'false'));
  }

  /** What comes while one is looking further up; pages of the past are no news. */
  function countUnseen({ entries, elsewhere }) {
    const newest = entries[entries.length - 1];
    if (placed && !stuck && !elsewhere && !wasElsewhere && newest && newest.key !== lastKey) {
      const from = entries.findIndex((entry) => entry.key === lastKey);
      const fresh = entries.slice(from + 1).filter((entry) => entry.kind === 'message' && !entry.mine);
      if (from >= 0) unseen += fresh.length;
    }
    lastKey = newest?.key ?? null;
    wasElsewhere = Boolean(elsewhere);
  }

  function showLatest() {
    latest.hidden = stuck && !source().elsewhere;
    latest.replaceChildren(icon('down'), unseen ? count(unseen, 'new message') : 'Latest');
  }

  async function toBottom() {
    unseen = 0;
    if (source().elsewhere && !(await app.attempt(source().latest()))) return;
    stuck = true;
    update();
  }

  function onScroll() {
    const near = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
    // Heights that become known push the end away: only who has gone up has left it.
    stuck = !source().elsewhere && (near || (stuck && box.scrollTop >= lastTop));
    lastTop = box.scrollTop;
    if (stuck) unseen = 0;
    showLatest();
    fetchMore();
    clearTimeout(readSoon);
    readSoon = setTimeout(markRead, 200);
  }

  /** Near an end of what is here, more of it is asked for. */
  async function fetchMore() {
    const now = source();
    const older = now.more && !now.loading && box.scrollTop < FETCH_PX;
    const newer = now.elsewhere && box.scrollHeight - box.scrollTop - box.clientHeight < FETCH_PX;
    if (!placed || asked || !(older || newer)) return;
    asked = true;
    try {
      await (older ? now.older() : now.newer());
    } catch {
      return; // the next scroll asks again; the bar above says when the connection is away
    } finally {
      asked = false;
    }
    update();
  }

  function firstVisible() {
    let node = at(box.getBoundingClientRect().top + 1);
    while (node && !node.dataset.key) node = node.nextElementSibling; // separators wander
    return node;
  }

  /** The entry at a height of the window, by halving: a list may have thousands. */
  function at(y) {
    const all = list.children;
    let low = 0;
    let high = all.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (all[middle].getBoundingClientRect().bottom > y) high = middle;
      else low = middle + 1;
    }
    return all[low] ?? null;
  }

  function markRead() {
    const now = source();
    if (!now.read || !placed || document.visibilityState !== 'visible' || !document.hasFocus()) return;
    let node = stuck ? list.lastElementChild : at(box.getBoundingClientRect().bottom - 4);
    while (node && !node.dataset.seq) node = node.previousElementSibling;
    if (node) now.read(Number(node.dataset.seq));
  }

  /** Shows the entry with this seq, when it is there; says whether it was. */
  function reveal(seq) {
    const target = list.querySelector(`[data-seq="${Number(seq)}"]`);
    if (!target) return false;
    placed = true;
    stuck = false;
    target.scrollIntoView({ block: 'center' });
    target.focus({ preventScroll: true });
    target.classList.add('flash');
    setTimeout(() => target.classList.remove('flash'), 2000);
    return true;
  }

  function close() {
    resized.disconnect();
    removeEventListener('focus', attention);
    clearTimeout(readSoon);
  }

  return { node, update, reveal, toBottom, close, focusLast: () => list.querySelector('li.entry[tabindex="0"]')?.focus() };
}
