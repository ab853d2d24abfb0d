// The room that is shown: its header, its timeline, who is typing, and the composer.
import { button, dot, el, icon, iconButton, said } from './dom.js';
import { makeComposer } from './composer.js';
import { may, names, personName } from './format.js';
import { openMenu, words } from './overlays.js';
import { showInvite, showLeave, showSettings } from './governing.js';
import { makeTimeline } from './timeline.js';

export function makeRoomView(app, name) {
  const node = el('div.room');
  let parts = null;
  let newAfter = null;
  let readUpTo = 0;
  let wanted = null; // the seq to show when the room is open
  let waiting = false; // for the connection, to open it then
  let isRefused = false; // and we say so, in place of the room

  const away = () => {
    const room = app.state.rooms.get(name);
    if (room) newAfter = Math.max(room.seq ?? 0, newAfter ?? 0);
  };
  addEventListener('blur', away);

  async function open(seq) {
    wanted = seq;
    isRefused = false;
    waiting = app.state.connection.status !== 'online';
    noteNew(); // before the first look, which counts as reading
    update();
    if (waiting) return;
    try {
      await app.act.open(name);
    } catch (refusal) {
      waiting = refusal.temporary;
      return showRefusal(refusal);
    }
    noteNew();
    update();
    parts.composer.takeDraft();
    app.act.members(name).catch(() => {}); // names to complete; guests may not ask for all rooms
    if (wanted) jump(wanted);
    else if (!matchMedia('(pointer: coarse)').matches) app.composer?.focus();
  }

  function noteNew() {
    const room = app.state.rooms.get(name);
    if (newAfter === null && room?.unread) newAfter = room.read;
  }

  function showRefusal(refusal) {
    const known = app.state.rooms.get(name);
    if (parts && known?.entries.length) return; // what is there stays readable; bar or composer say what is wrong
    parts?.timeline.close();
    parts = null;
    isRefused = true;
    node.replaceChildren(el('div.lost', { role: 'alert' }, el('h1', { dir: 'auto' }, name), el('p', { dir: 'auto' }, words(refusal)),
      button('Try again', () => open(wanted)), ' ', button('Go to the lobby', () => app.go('lobby'))), el('div.narrow', {}, backButton(app)));
  }

  function build(room) {
    const header = makeHeader(app, room);
    const timeline = makeTimeline(app, room, () => ({
      entries: room.entries, more: room.more, loading: room.loadingOlder, older: () => app.act.older(name), place: 'main',
      label: `Messages in ${app.title(room)}`, newAfter, read, seen: seenText(app, room), elsewhere: room.jump,
      newer: () => app.act.newer(name), latest: () => app.act.latest(name), empty: 'Nothing was said here yet. Begin!',
    }));
    const composer = makeComposer(app, room);
    const typing = el('p.typing', { role: 'status' });
    composer.node.id = 'write';
    app.composer = composer;
    app.onSent = () => {
      newAfter = null;
      timeline.toBottom();
    };
    node.replaceChildren(header.node, timeline.node, typing, composer.node);
    return { room, header, timeline, composer, typing };
  }

  function read(seq) {
    const room = app.state.rooms.get(name);
    if (!room || seq <= Math.max(room.read ?? 0, readUpTo)) return;
    readUpTo = seq;
    app.act.read(name, seq).catch(() => {}); // guests have no markers; a lost one is said again by the next
  }

  function update() {
    if (waiting && app.state.connection.status === 'online') return open(wanted);
    const room = app.state.rooms.get(name);
    if (!room || isRefused) return;
    if (parts?.room !== room) {
      parts?.timeline.close();
      parts = build(room);
    }
    parts.header.update();
    parts.timeline.update();
    parts.composer.update();
    const who = (room.typing ?? []).filter((one) => one !== app.state.me?.user);
    const text = who.length ? `${names(who)} ${who.length === 1 ? 'is' : 'are'} typing…` : '';
    if (parts.typing.textContent !== text) parts.typing.textContent = text;
  }

  async function jump(seq) {
    wanted = null;
    if (parts?.timeline.reveal(seq)) return;
    if (!(await app.attempt(app.act.around(name, seq)))) return;
    update();
    parts?.timeline.reveal(seq);
  }

  function close() {
    removeEventListener('blur', away);
    parts?.timeline.close();
    app.composer = null;
  }

  return { node, open, update, jump, close };
}

/** Who of a small room has read the last thing that I said. */
function seenText(app, room) {
  const last = room.entries.findLast((entry) => entry.kind === 'message');
  if (!last?.mine || !last.seq || !room.seenBy?.size) return '';
  const who = [...room.seenBy].filter(([id, seq]) => id !== app.state.me?.userId && seq >= last.seq)
    .map(([id]) => personName(app.state, id, app.state.people.get(id)?.user ?? room.roster?.people.find((one) => one.userId === id)?.user)).filter(Boolean);
  if (!who.length) return '';
  return room.kind === 'direct' ? 'Seen' : `Seen by ${names(who)}`;
}

/** How many are there: people, where presence is known, else connections as of our coming. */
const there = (room) => (room.online === null || room.online === undefined ? room.members : room.online + (room.away ?? 0));

/** On a phone: to the list of rooms. */
const backButton = (app) => iconButton('back', 'Rooms', () => app.setPane('list'), 'button.quiet.back');

function makeHeader(app, room) {
  const title = said('h1', '');
  const topic = said('p.topic', '');
  const people = iconButton('people', 'People', () => app.showPanel('people'));
  const pins = iconButton('pin', 'Pinned messages', () => app.showPanel('pins'));
  const more = iconButton('more', 'More about this room', () => openMenu(more, roomMenu(app, room), 'Room'));
  const sign = el('span.sign');
  more.setAttribute('aria-haspopup', 'menu');
  const node = el('header.top', {}, backButton(app), sign, el('div.titles', {}, title, topic),
    people, pins, iconButton('search', 'Search in this room', () => app.showPanel('search', {})), more);

  function update() {
    const presence = room.kind === 'direct' ? app.state.people.get(room.with?.userId)?.presence : null;
    const text = [app.title(room), room.topic, there(room), room.archived, room.pins?.length, presence, room.kind].join('\u0001');
    if (node.dataset.sign === text) return;
    node.dataset.sign = text;
    sign.replaceChildren(room.kind === 'direct' ? dot(presence) ?? '' : icon(room.kind === 'private' ? 'lock' : 'hash'));
    title.textContent = app.title(room);
    topic.textContent = room.archived ? 'Archived' : room.kind === 'direct' ? presence ?? '' : room.topic ?? '';
    topic.title = room.topic ?? '';
    const words = there(room) === null ? 'People' : `People, ${there(room)} here now`;
    people.setAttribute('aria-label', words);
    people.title = words;
    people.replaceChildren(icon('people'), there(room) ? el('span.number', { 'aria-hidden': 'true' }, String(there(room))) : '');
    pins.replaceChildren(icon('pin'), room.pins?.length ? el('span.number', { 'aria-hidden': 'true' }, String(room.pins.length)) : '');
  }

  return { node, update };
}

const LEVELS = [['all', 'Notify me of everything'], ['mentions', 'Notify me of mentions only'], ['none', 'Notify me of nothing']];

function roomMenu(app, room) {
  const { act, state } = app;
  const member = state.me?.kind === 'account' && room.role;
  return [
    room.kind !== 'direct' && ['About this room, and its rules…', () => showSettings(app, room)],
    room.kind === 'direct' && ['Profile', () => app.showPerson(room.with?.userId, room.with?.user)],
    may(state, room, 'moderator') && ['Invite people…', () => showInvite(app, room)],
    may(state, room, 'moderator') && ['Reports', () => app.showPanel('reports')],
    may(state, room, 'moderator') && ['Banned and muted', () => app.showPanel('bans')],
    may(state, room, 'owner') && ['What was done here (audit)', () => app.showPanel('audit')],
    ...LEVELS.map(([level, text]) => member && room.level !== level && [text, () => app.attempt(act.level(room.name, level))]),
    ['Leave the room…', () => showLeave(app, room), true],
  ];
}
