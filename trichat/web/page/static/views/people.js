// Who belongs to the room, in which role, and who is there.
import { arrange, button, dot, el, face, keepReachable, roving, said } from './dom.js';
import { count, may, personName } from './format.js';
import { showInvite } from './governing.js';

export function makePeople(app, room) {
  const list = el('ul.people', { 'aria-label': 'People of this room' });
  const status = el('p.status', { role: 'status' }, 'Loading…');
  const more = button('More', () => load(true), 'button.more');
  const node = el('div.scroll.padded', { tabindex: -1 }, may(app.state, room, 'moderator') && button('Invite people…', () => showInvite(app, room)), status, list, more);
  const kept = new Map();
  roving(list, 'button');

  async function load(next) {
    await app.attempt(app.act.members(room.name, next));
    update();
  }

  function update() {
    const people = room.roster?.people ?? [];
    more.hidden = !room.roster?.more;
    arrange(list, people.map(itemFor));
    keepReachable(list, 'button');
    const text = room.roster ? `${count(people.length, 'person', 'people')}${room.roster.more ? ' or more' : ''}` : '';
    if (status.textContent !== text) status.textContent = text;
  }

  function itemFor(person) {
    const presence = app.state.people.get(person.userId)?.presence ?? person.presence;
    const name = personName(app.state, person.userId, person.user);
    const sign = [name, person.role, presence, person.user].join('\u0001');
    const known = kept.get(person.userId);
    if (known?.sign === sign) return known.node;
    const node = el('li', {}, el('button', { type: 'button', tabindex: -1, onclick: () => app.showPerson(person.userId, person.user) },
      el('span.facebox', {}, face(person.userId, name), dot(presence)), el('span.names', {}, said('b', name), name !== person.user && el('span.hint', {}, `@${person.user}`)),
      person.role && person.role !== 'member' && el('span.badge', {}, person.role)));
    known?.node.replaceWith(node);
    kept.set(person.userId, { sign, node });
    return node;
  }

  return { node, update, shown: () => load(false) };
}
