// Searching, in this room or everywhere, and the way to what was found.
import { arrange, button, el, keepReachable, roving, said } from './dom.js';
import { marked, when } from './format.js';
import { words } from './overlays.js';

const HELP = 'Words, "these words", boa*, -not, from:ann, before:2026-11-24, has:link';

export function makeSearch(app, room, about) {
  const guest = app.state.me?.kind === 'guest'; // guests are members of no room: they say which
  const everywhere = Boolean(about?.everywhere) && !guest;
  const input = el('input', { type: 'search', 'aria-label': 'Search for', 'aria-describedby': 'search-help', dir: 'auto', maxlength: 500 });
  const where = el('select', { 'aria-label': 'Where' }, room && el('option', { value: 'room' }, `in ${app.title(room)}`),
    !guest && el('option', { value: 'all' }, 'in all my rooms'));
  where.value = everywhere || !room ? 'all' : 'room';
  const status = el('p.status', { role: 'status' });
  const list = el('ul.found', { 'aria-label': 'Found' });
  const more = button('More', () => search(true), 'button.more');
  const form = el('form.searching', { role: 'search', onsubmit: (event) => (event.preventDefault(), search(false)) },
    input, where, el('button.primary', { type: 'submit' }, 'Search'), el('p.hint', { id: 'search-help' }, HELP));
  const node = el('div.scroll.padded', { tabindex: -1 }, form, status, list, more);
  const kept = new Map();
  let refused = '';
  roving(list, 'button');

  async function search(next) {
    const query = input.value.trim();
    if (!query) return;
    refused = '';
    try {
      await app.act.search(query, { room: where.value === 'room' ? room.name : undefined, more: next });
    } catch (refusal) {
      refused = words(refusal);
    }
    update();
  }

  function update() {
    const { search: now } = app.state;
    const found = now?.query === input.value.trim() || now?.loading ? now?.found ?? [] : now?.found ?? [];
    arrange(list, found.map(itemFor));
    keepReachable(list, 'button');
    more.hidden = !now?.more;
    const text = refused || (now?.refusal ? words(now.refusal) : '') || (now?.loading ? 'Searching…' : now && !found.length ? 'Nothing was found' : now ? `${found.length}${now.more ? ' or more' : ''} found` : '');
    if (status.textContent !== text) status.textContent = text;
  }

  function itemFor(hit) {
    const key = `${hit.room} ${hit.message.seq} ${hit.message.rev}`;
    if (!kept.has(key)) kept.set(key, el('li', {}, hitNode(app, hit)));
    return kept.get(key);
  }

  if (app.state.search) input.value = app.state.search.query ?? '';
  return { node, update, shown: () => (input.focus(), input.select()) };
}

function hitNode(app, hit) {
  const room = app.state.rooms.get(hit.room);
  const { from, seq, ts } = hit.message;
  return el('button', { type: 'button', tabindex: -1, onclick: () => app.jump(hit.room, seq) },
    el('span.hint', {}, said('b', from), ' in ', said('span', room ? app.title(room) : hit.room), ` · ${when(ts)}`),
    said('span.snippet', marked(hit.snippet, hit.marks)));
}
