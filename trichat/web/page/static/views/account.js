// Who I am and who others are: my menu, my profile, password and sessions, the card of a person.
import { button, el, face, said } from './dom.js';
import { personName, when } from './format.js';
import { governingButtons } from './governing.js';
import { showKeys } from './keys.js';
import { ask, makeForm, openDialog, openMenu, toast, words } from './overlays.js';
import { askLogin, askRegister } from './welcome.js';
import { schemeItems } from './scheme.js';

export function showOwnMenu(app, anchor) {
  const { act, state } = app;
  const guest = state.me.kind === 'guest';
  const away = state.people.get(state.me.userId)?.presence === 'away';
  openMenu(anchor, [
    guest && ['Sign in…', () => askLogin(app)],
    guest && ['Register…', () => askRegister(app)],
    !guest && ['Profile…', () => showProfile(app)],
    !guest && ['Password…', () => showPassword(app)],
    !guest && ['Where you are signed in…', () => showSessions(app)],
    [away ? 'I am here' : 'I am away', () => app.attempt(act.presence(!away))],
    ...schemeItems(),
    ['Keyboard…', showKeys],
    [guest ? 'Forget who I am' : 'Sign out', () => app.attempt(act.logout()), true],
  ], 'You');
}

function showProfile(app) {
  const { act, state } = app;
  openDialog('Your profile', (dialog, close) => {
    const place = el('div', {}, el('p.status', { role: 'status' }, 'Loading…'));
    act.profile(state.me.user).then((known) => place.replaceChildren(makeForm([
      { name: 'name', label: 'Name, by which others mention you', value: state.me.user, required: true, maxlength: 64 },
      { name: 'displayName', label: 'Name that is shown', value: known.displayName ?? known.display_name ?? '', maxlength: 120 },
      { name: 'about', label: 'About you', type: 'area', value: known.about ?? '', maxlength: 1000 },
    ], 'Save', async ({ name, displayName, about }) => {
      if (name !== state.me.user) await act.rename(name);
      await act.setProfile({ displayName, about: about.replace(/\s+/g, ' ').trim() });
      close();
    })), (refusal) => place.replaceChildren(el('p.refusal', {}, words(refusal))));
    return place;
  });
}

function showPassword(app) {
  ask('Change your password', [
    { name: 'old', label: 'Password', type: 'password', autocomplete: 'current-password', required: true },
    { name: 'new', label: 'New password', type: 'password', autocomplete: 'new-password', required: true, minlength: 8, hint: '8 characters at least. You are signed out everywhere else.' },
  ], 'Change', async (values) => {
    await app.act.password(values.old, values.new);
    toast('Your password is changed', 'good');
  });
}

function showSessions(app) {
  openDialog('Where you are signed in', () => {
    const list = el('ul.cards', { 'aria-label': 'Sessions' });
    const load = async () => {
      try {
        const all = await app.act.sessions();
        list.replaceChildren(...all.map((it) => el('li.card.wide', {},
          el('div', {}, said('b', it.device || 'Unnamed device'), el('p.hint', {}, it.current ? 'This one' : `Last seen ${when(it.seen)}`, it.address ? ` · ${it.address}` : '')),
          !it.current && button('End', async () => (await app.attempt(app.act.endSession(it.session ?? it.id))) && load(), 'button.small.danger'))));
      } catch (refusal) {
        list.replaceChildren(el('li.refusal', {}, words(refusal)));
      }
    };
    load();
    return list;
  });
}

/** The card of a person, by id or name. */
export function showPersonCard(app, user, shownName) {
  const { act, state } = app;
  const member = app.current()?.roster?.people.find((one) => one.userId === user || one.user === user);
  const known = state.people.get(user);
  const person = { user: member?.user ?? known?.user ?? shownName ?? user, userId: user };
  openDialog(personName(state, user, person.user), (dialog, close) => {
    const about = el('div.about-person', {}, face(user, person.user), el('div', {}, el('p', {}, said('b', `@${person.user}`), member?.role && el('span.badge', {}, member.role)),
      el('p.hint', {}, known?.presence ?? '', known?.lastSeen ? `, last seen ${when(known.lastSeen)}` : '')));
    const words = el('div');
    act.profile(user).then((it) => {
      dialog.querySelector('h2').textContent = it.displayName || person.user;
      words.replaceChildren(it.about ? said('p', it.about) : '', el('p.hint', {}, it.created ? `Here since ${when(it.created)}` : ''));
    }, () => words.replaceChildren(el('p.hint', {}, 'A guest: without a profile'))); // only accounts have one
    const other = user !== state.me?.userId;
    const account = state.me?.kind === 'account' && other && !String(user).startsWith('g_');
    return [about, words,
      account && el('div.actions', {}, button('Write to them', () => (close(), app.direct(person.user)), 'button.primary'),
        button('Block', async () => (await app.attempt(act.block(person.user, true))) && (close(), toast(`${person.user} cannot write to you directly any more`, 'good'))),
        button('Unblock', async () => (await app.attempt(act.block(person.user, false))) && close())),
      governingButtons(app, person, member?.role, close)];
  });
}
