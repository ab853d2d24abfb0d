// The list of my rooms, with what is unread in them, and the ways to others.
import { showOwnMenu } from './account.js';
import { arrange, dot, el, face, icon, iconButton, keepReachable, roving, said } from './dom.js';
import { count } from './format.js';
import { showBrowse, showMake } from './finding.js';
import { openMenu } from './overlays.js';

const SECTIONS = [['Mentions', (room) => room.mentions > 0 && room.kind !== 'direct'], ['Direct messages', (room) => room.kind === 'direct'], ['Rooms', () => true]];

export function makeRoomsList(app) {
  const lists = SECTIONS.map(([title, belongs], n) => {
    const list = el('ul', { 'aria-labelledby': `section-${n}` });
    return { belongs, list, node: el('section', {}, el('h3', { id: `section-${n}` }, title), list) };
  });
  const scroll = el('div.scroll', {}, lists.map((it) => it.node));
  const own = el('button.own', { type: 'button', 'aria-haspopup': 'menu', onclick: () => showOwnMenu(app, own) });
  const add = iconButton('plus', 'Find, make or join a room', () => openMenu(add, [
    ['Find a room or a person…', () => showBrowse(app)],
    ['Make a room…', () => showMake(app)],
  ], 'Rooms'));
  const node = el('nav.rooms', { 'aria-label': 'Rooms' },
    el('header', {}, el('h2', {}, 'trichat'), iconButton('search', 'Search everywhere', () => app.showPanel('search', { everywhere: true })), add),
    scroll, own);
  const kept = new Map(); // room -> {sign, node}
  roving(scroll, 'a');

  function update() {
    const { state } = app;
    const rooms = state.order.map((name) => state.rooms.get(name)).filter(Boolean);
    const open = app.current();
    if (open && !rooms.includes(open)) rooms.push(open);
    let rest = rooms;
    for (const { belongs, list, node: section } of lists) {
      const mine = rest.filter(belongs);
      rest = rest.filter((room) => !mine.includes(room));
      arrange(list, mine.map(linkFor));
      section.hidden = !mine.length;
    }
    for (const name of kept.keys()) if (!state.rooms.has(name)) kept.delete(name);
    keepReachable(scroll, 'a');
    drawOwn();
  }

  function linkFor(room) {
    const presence = room.kind === 'direct' ? app.state.people.get(room.with?.userId)?.presence : null;
    const current = room.name === app.room;
    const sign = [app.title(room), room.kind, room.unread, room.mentions, room.level, room.archived, current, presence, Boolean(room.draft)].join('\u0001');
    const known = kept.get(room.name);
    if (known?.sign === sign) return known.node;
    const item = known?.node ?? el('li');
    const focused = item.contains(document.activeElement);
    const reachable = item.querySelector('[tabindex="0"]') ? 0 : -1;
    item.replaceChildren(linkNode(app, room, current, presence, reachable));
    if (focused) item.firstChild.focus();
    kept.set(room.name, { sign, node: item });
    return item;
  }

  function drawOwn() {
    const { me } = app.state;
    const sign = [me.userId, me.user, me.displayName, me.kind].join('\u0001');
    if (own.dataset.sign === sign) return;
    own.dataset.sign = sign;
    own.replaceChildren(face(me.userId, me.user), el('span.names', {}, said('b', me.displayName || me.user),
      el('span.hint', {}, me.kind === 'guest' ? 'guest' : `@${me.user}${me.admin ? ' · administrator' : ''}`)), icon('more'));
    own.setAttribute('aria-label', `You are ${me.user}. Profile, sessions, appearance`);
  }

  return { node, update };
}

function linkNode(app, room, current, presence, tabindex) {
  const quiet = room.level === 'none' || (room.level === 'mentions' && !room.mentions);
  const title = app.title(room);
  const link = el('a', { href: `#/r/${encodeURIComponent(room.name)}`, tabindex, 'aria-current': current ? 'page' : null, onclick: () => app.setPane('room') },
    room.kind === 'direct' ? el('span.facebox', {}, face(room.with?.userId, title), dot(presence)) : icon(room.kind === 'private' ? 'lock' : 'hash'),
    said('span.title', title));
  link.classList.toggle('unread', Boolean(room.unread) && !quiet);
  link.classList.toggle('dim', Boolean(room.archived || room.level === 'none'));
  if (room.draft && !current) link.append(icon('edit'), el('span.sr', {}, ', has a draft'));
  if (room.mentions) link.append(badge(`@${room.mentions}`, count(room.mentions, 'mention')));
  else if (room.unread && !quiet) link.append(badge(room.unread > 999 ? '999+' : String(room.unread), `${room.unread} unread`));
  return link;
}

const badge = (text, label) => el('span.count', {}, el('span', { 'aria-hidden': 'true' }, text), el('span.sr', {}, `, ${label}`));
