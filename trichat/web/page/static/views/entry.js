// One entry of a timeline or thread as nodes. Built anew when its signature has changed, and only then.
import { button, el, face, icon, said } from './dom.js';
import { clock, count, personName, rich, sentence, when } from './format.js';

const SOON_MS = 3_000; // a message that waits no longer than this just is sent a little later

/** All that is seen of an entry, as a text to compare. */
export function signature(app, entry, head) {
  const name = personName(app.state, entry.fromId, entry.from);
  const reactions = entry.reactions?.map((r) => `${r.emoji}${r.count}${r.mine}`).join() ?? '';
  return [head, name, entry.seq, entry.rev, entry.state, entry.edited, entry.deleted, entry.pinned, entry.replies,
    entry.replyTo?.text, entry.refusal?.message, entry.waitsUntilMs, entry.mentionsMe, reactions, entry.text].join('\u0001');
}

/** The node of an entry; `head`: it begins a group of its author. `place`: 'main' or 'thread'. */
export function entryNode(app, room, entry, head, place) {
  if (entry.kind === 'gap') return el('li.note', {}, 'What was said here is kept no more, or is not for you');
  if (entry.kind !== 'message') return noteNode(entry);
  const name = personName(app.state, entry.fromId, entry.from);
  const node = el('li.entry', { tabindex: -1, 'data-key': entry.key, 'data-seq': entry.seq });
  for (const [on, word] of [[head, 'head'], [entry.mentionsMe, 'to-me'], [entry.state === 'failed', 'failed'],
    [entry.state === 'sent', 'sending'], [entry.mine, 'mine']]) node.classList.toggle(word, Boolean(on));
  node.append(
    head ? face(entry.fromId, name) : el('span.gutter', { 'aria-hidden': 'true' }, clock(entry.ts ?? Date.now()).replace(/\s?[AP]M$/, '')),
    el('div.body', {}, meta(app, entry, name, head), quote(app, room, entry), content(app, entry), failure(app, room, entry),
      reactions(app, room, entry), place === 'main' && thread(app, room, entry)),
  );
  for (const part of node.querySelectorAll('button, a')) part.tabIndex = part.closest('.failure') ? 0 : -1; // see tools.js
  return node;
}

function noteNode(entry) {
  const time = entry.ts && el('time', { datetime: entry.ts, title: when(entry.ts) }, clock(entry.ts));
  return el('li.note', { 'data-key': entry.key, 'data-seq': entry.seq },
    said('span', entry.note ?? sentence(entry.event ?? {})), ' ', time);
}

function meta(app, entry, name, head) {
  const ts = entry.ts ?? Date.now();
  const time = el('time', { datetime: new Date(ts).toISOString(), title: when(ts) }, clock(ts));
  if (!head) return el('p.sr', {}, `${name}, `, time);
  const who = said('button.who', name, { type: 'button', onclick: () => app.showPerson(entry.fromId || entry.from, name) });
  return el('p.meta', {}, who, ' ', time, entry.pinned && el('span.badge', {}, icon('pin'), 'pinned'));
}

function quote(app, room, entry) {
  if (!entry.replyTo || entry.deleted) return null;
  const { seq, from, text } = entry.replyTo;
  return el('button.quote', { type: 'button', onclick: () => app.jump(room.name, seq) },
    icon('reply'), el('span.sr', {}, 'In answer to '), said('b', from ?? `message ${seq}`), ' ', said('span', (text ?? '').slice(0, 120)));
}

function content(app, entry) {
  if (entry.deleted) return el('p.text.gone', {}, 'This message was deleted');
  const text = said('div.text', rich(entry.text ?? '', app.state.me?.user));
  if (entry.edited) text.append(el('span.edited', {}, ' (edited)'));
  if (entry.mine) text.append(sentMark(entry));
  return text;
}

function sentMark(entry) {
  if (entry.state === 'sent') return el('span.mark', {}, ' sending…');
  if (entry.state === 'failed') return '';
  return el('span.mark', { role: 'img', 'aria-label': 'sent', title: 'Sent' }, icon('check'));
}

function failure(app, room, entry) {
  const discard = button('Discard', () => app.attempt(app.act.discard(room.name, entry.key)));
  if (entry.state === 'sent' && entry.waitsUntilMs - Date.now() > SOON_MS) {
    return el('p.failure.waits', {}, `Too early: it is sent at ${clock(entry.waitsUntilMs)} `, discard);
  }
  if (entry.state !== 'failed') return null;
  return el('p.failure', {}, el('span', { dir: 'auto' }, `Not sent: ${entry.refusal?.message ?? 'it was refused'}`), ' ',
    button('Retry', () => app.attempt(app.act.retry(room.name, entry.key))), ' ', discard);
}

function reactions(app, room, entry) {
  if (!entry.reactions?.length) return null;
  return el('div.reactions', {}, entry.reactions.map((it) => el('button', {
    type: 'button', 'aria-pressed': String(Boolean(it.mine)), 'aria-label': `${it.emoji}, ${count(it.count, 'person', 'people')}`,
    onclick: () => app.attempt(app.act.react(room.name, entry.seq, it.emoji, !it.mine)),
  }, it.emoji, ' ', String(it.count))));
}

function thread(app, room, entry) {
  if (!entry.replies) return null;
  const unread = room.threads?.get(entry.seq)?.unread;
  return el('button.replies', { type: 'button', onclick: () => app.showPanel('thread', entry.seq) },
    icon('thread'), count(entry.replies, 'reply', 'replies'), unread ? el('b', {}, ` ${unread} new`) : null);
}
