// What one may do about a room and the people in it, as far as one's role goes. The server decides.
import { button, el, said } from './dom.js';
import { may, rank, roomTitle } from './format.js';
import { ask, makeForm, openDialog, toast } from './overlays.js';

const SPANS = [['', 'For good'], ['600', '10 minutes'], ['3600', 'An hour'], ['86400', 'A day'], ['604800', 'A week']];
const SLOW = [['0', 'Off'], ['5', '5 s'], ['30', '30 s'], ['60', 'A minute'], ['600', '10 minutes']];

export function showSettings(app, room) {
  const { act, state } = app;
  openDialog('About this room', (dialog, close) => {
    const facts = el('dl.facts', {}, [['Name', room.name], ['Kind', room.kind], ['Your role', room.role ?? 'guest'], ['Topic', room.topic || '—']]
      .map(([key, value]) => [el('dt', {}, key), said('dd', value)]).flat());
    if (!may(state, room, 'admin')) return facts;
    const slow = String(room.rules?.slow_s ?? 0);
    const form = makeForm([
      { name: 'title', label: 'Title', value: room.title ?? '', maxlength: 120 },
      { name: 'topic', label: 'Topic', type: 'area', value: room.topic ?? '', maxlength: 1000 },
      { name: 'slow_s', label: 'Slow mode: between two messages of a person', value: slow, options: SLOW.some(([s]) => s === slow) ? SLOW : [...SLOW, [slow, `${slow} s`]] },
      { name: 'send', label: 'Who may write', value: room.rules?.send ?? 'guest', options: ['guest', 'member', 'moderator', 'admin'].map((role) => [role, `${role} and above`]) },
    ], 'Save', async (values) => {
      await act.set(room.name, { ...values, topic: values.topic.replace(/\s+/g, ' ').trim(), slow_s: Number(values.slow_s) });
      close();
    });
    const archive = may(state, room, 'owner') && button(room.archived ? 'Open it again' : 'Archive the room', async () => {
      if (await app.attempt(act.archive(room.name, !room.archived))) close();
    }, 'button.danger');
    return [facts, form, archive];
  });
}

export function showInvite(app, room) {
  openDialog(`Invite people to ${app.title(room)}`, () => {
    const out = el('output.code');
    return [
      makeForm([{ name: 'user', label: 'A person, by name', required: true }], 'Invite', async ({ user }) => {
        await app.act.invite(room.name, user.trim().replace(/^@/, ''));
        toast(`${user} is invited`, 'good');
      }),
      button('Make a link to pass on', async () => {
        await app.attempt(app.act.inviteCode(room.name).then((made) => {
          out.textContent = `${location.origin}${location.pathname}#/invite/${encodeURIComponent(made?.code ?? made)}`;
        }));
      }),
      out,
    ];
  });
}

export function showLeave(app, room) {
  ask(`Leave ${app.title(room)}?`, [], 'Leave', async () => {
    await app.act.leave(room.name);
    const next = app.state.order.find((name) => name !== room.name) ?? 'lobby';
    if (app.room === room.name) app.go(next === room.name ? 'lobby' : next);
  }, room.kind === 'public' ? 'You can come back at any time.' : room.kind === 'direct' ? 'It comes back when either of you writes again.' : 'To come back you need a new invitation.');
}

/** The buttons by which I may act on somebody in the room that is shown; `role` is theirs. */
export function governingButtons(app, person, role, close) {
  const room = app.current();
  const { act, state } = app;
  const admin = state.me?.admin && room?.kind === 'public';
  if (!room || person.userId === state.me?.userId || !may(state, room, 'moderator')) return null;
  if (!admin && rank(role) >= rank(room.role)) return null; // nobody acts on their own rank
  const done = async (promise) => (await app.attempt(promise)) && close();
  const withReason = (title, fields, label, submit) => () => ask(title, [...fields, { name: 'reason', label: 'Reason (everybody can read it)', maxlength: 500 }], label, submit);
  const span = { name: 'forS', label: 'For how long', options: SPANS };
  const spanned = ({ forS, reason }) => ({ forS: Number(forS) || undefined, reason: reason || undefined });
  return el('section.governing', {}, el('h3', {}, 'In ', said('span', roomTitle(room))),
    may(state, room, 'admin') && roleChooser(app, room, person, role, done),
    button('Remove…', withReason(`Remove ${person.user}?`, [], 'Remove', ({ reason }) => act.kick(room.name, person.user, reason || undefined))),
    button('Mute…', withReason(`Mute ${person.user}?`, [span], 'Mute', (values) => act.mute(room.name, person.user, spanned(values)))),
    button('Unmute', () => done(act.unmute(room.name, person.user))),
    button('Ban…', withReason(`Ban ${person.user}?`, [span], 'Ban', (values) => act.ban(room.name, person.user, spanned(values))), 'button.danger'),
    button('Unban', () => done(act.unban(room.name, person.user))));
}

function roleChooser(app, room, person, role, done) {
  const mine = app.state.me?.admin ? 'owner' : room.role;
  const roles = ['member', 'moderator', 'admin'].filter((one) => rank(one) < rank(mine));
  if (!role || !roles.length) return null;
  const choose = el('select', { 'aria-label': `Role of ${person.user}`, onchange: () => done(app.act.role(room.name, person.user, choose.value)) }, roles.map((one) => el('option', { value: one }, one)));
  choose.value = role;
  return choose;
}
