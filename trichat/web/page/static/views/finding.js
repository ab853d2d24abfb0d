// The ways to rooms and people: the switcher, the directory, a new room, an invitation.
import { button, el, icon, said } from './dom.js';
import { count } from './format.js';
import { ask, makeForm, openDialog, toast, words } from './overlays.js';

/** Ctrl K: goes to one of my rooms, to a public one, or makes the one that was typed. */
export function showSwitcher(app) {
  openDialog('Go to', (dialog, close) => {
    const input = el('input', { 'aria-label': 'Room or person', dir: 'auto', role: 'combobox', 'aria-expanded': 'true', 'aria-controls': 'switch-list', autocomplete: 'off', autofocus: true });
    const list = el('ul.choices', { role: 'listbox', id: 'switch-list', 'aria-label': 'Rooms' });
    let found = [];
    let at = 0;
    const take = (choice) => {
      close();
      if (choice.direct) app.direct(choice.direct);
      else app.go(choice.room);
    };
    const draw = () => {
      list.replaceChildren(...found.map((choice, n) => el('li', { role: 'option', id: `switch-${n}`, 'aria-selected': String(n === at), onclick: () => take(choice) },
        icon(choice.icon), said('span', choice.text), choice.hint && el('span.hint', {}, choice.hint))));
      if (found.length) input.setAttribute('aria-activedescendant', `switch-${at}`);
      list.children[at]?.scrollIntoView({ block: 'nearest' });
    };
    const look = () => {
      found = choices(app, input.value.trim());
      at = 0;
      draw();
    };
    input.addEventListener('input', look);
    input.addEventListener('keydown', (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && found.length) {
        event.preventDefault();
        at = (at + step + found.length) % found.length;
        draw();
      } else if (event.key === 'Enter' && found[at]) take(found[at]);
    });
    look();
    app.act.browse()?.then(look, () => {}); // without the directory one still finds one's own rooms
    return [input, list];
  }, 'dialog.switcher');
}

function choices(app, typed) {
  const word = typed.replace(/^[#@]/, '').toLowerCase();
  const mine = app.state.order.map((name) => app.state.rooms.get(name)).filter(Boolean)
    .map((room) => ({ room: room.name, text: app.title(room), icon: { direct: 'people', private: 'lock' }[room.kind] ?? 'hash', hint: room.unread ? `${room.unread} unread` : null }));
  const others = app.state.directory.rooms.filter((room) => !app.state.rooms.has(room.name))
    .map((room) => ({ room: room.name, text: room.title || room.name, icon: 'hash', hint: 'public' }));
  const found = [...mine, ...others].filter((it) => it.text.toLowerCase().includes(word) || it.room.includes(word)).slice(0, 30);
  if (word && !found.some((it) => it.room === word) && !/\s/.test(word)) {
    if (typed[0] !== '@') found.push({ room: word, text: word, icon: 'plus', hint: 'join or make' });
    if (app.state.me?.kind === 'account') found.push({ direct: word, text: word, icon: 'people', hint: 'direct messages' });
  }
  return found;
}

export function showBrowse(app) {
  openDialog('Rooms', (dialog, close) => {
    const list = el('ul.cards', { 'aria-label': 'Public rooms' });
    const status = el('p.status', { role: 'status' }, 'Loading…');
    const more = button('More', () => load(true), 'button.more');
    const draw = () => {
      const { directory } = app.state;
      list.replaceChildren(...directory.rooms.map((room) => el('li.card.wide', {},
        el('div', {}, said('b', room.title || room.name), room.title && el('span.hint', {}, ` ${room.name}`), said('p.hint', room.topic || count(room.members ?? 0, 'person', 'people') + ' there')),
        button(app.state.rooms.get(room.name)?.joined ? 'Open' : 'Join', () => (close(), app.go(room.name)), 'button.small'))));
      status.textContent = directory.rooms.length ? '' : 'There are no public rooms yet: make one';
      more.hidden = !directory.more;
    };
    const load = (next) => app.act.browse(next).then(draw, (refusal) => (status.textContent = words(refusal)));
    load(false);
    const account = app.state.me?.kind === 'account';
    const person = account && makeForm([{ name: 'user', label: 'Write to a person', required: true }], 'Write', async ({ user }) => {
      const room = await app.act.direct(user.trim().replace(/^@/, ''));
      close();
      app.go(room);
    });
    const code = account && makeForm([{ name: 'code', label: 'I have an invitation', hint: 'The code, or the whole address', required: true }], 'Accept', async (values) => {
      const room = await app.act.accept(values.code.trim().split('#/invite/').pop());
      close();
      app.go(room);
    });
    return [button('Make a room…', () => showMake(app)), status, list, more, person, code];
  });
}

export function showMake(app) {
  const guest = app.state.me?.kind !== 'account';
  const fields = [
    { name: 'kind', label: 'Who comes in', options: guest ? [['public', 'Everybody']] : [['public', 'Everybody'], ['private', 'Who is invited']] },
    { name: 'room', label: 'Name, as in its address', hint: 'Lower case, no blanks. Private rooms need none.', maxlength: 64 },
    { name: 'title', label: 'Title', maxlength: 120 },
    { name: 'topic', label: 'Topic', maxlength: 500 },
  ];
  ask('Make a room', guest ? fields.slice(1, 2) : fields, 'Make', async ({ kind = 'public', room, title, topic }) => {
    const name = room.trim();
    // For guests a room is made by the first who comes; an account makes one that it owns.
    const made = guest ? name : await app.act.make({ name: kind === 'public' ? name : undefined, title, kind, topic });
    app.go(typeof made === 'string' ? made : made?.name ?? name);
    toast('The room is made', 'good');
  });
}
