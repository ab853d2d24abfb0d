// Lists of a room beside it: what is pinned, what was reported, who may not come or write, what was done by whom.
import { button, el, said } from './dom.js';
import { may, when } from './format.js';
import { ask, words } from './overlays.js';

export function makePins(app, room) {
  const list = el('ul.found', { 'aria-label': 'Pinned messages' });
  const node = el('div.scroll.padded', { tabindex: 0 }, list);

  function update() {
    const sign = (room.pins ?? []).map((entry) => `${entry.seq} ${entry.rev}`).join();
    if (node.dataset.sign === sign) return;
    node.dataset.sign = sign;
    list.replaceChildren(...(room.pins ?? []).map((entry) => el('li', {},
      el('button', { type: 'button', onclick: () => app.jump(room.name, entry.seq) },
        el('span.hint', {}, said('b', entry.from), ` · ${when(entry.ts)}`), said('span.snippet', entry.text ?? '')),
      may(app.state, room, 'moderator') && button('Unpin', () => app.attempt(app.act.pin(room.name, entry.seq, false)), 'button.small'))));
    if (!room.pins?.length) list.append(el('li.hint', {}, 'Nothing is pinned. Moderators pin a message in its menu.'));
  }

  return { node, update };
}

export function makeReports(app, room) {
  return loaded(() => app.act.reports(room.name), 'Open reports', 'There are no open reports', (report, again) => el('li.card', {},
    el('p', {}, said('b', report.by), ` · ${when(report.at)}`), said('p', report.reason || 'No reason was given'),
    button('Show the message', () => app.jump(room.name, report.seq), 'button.small'), ' ',
    button('Resolve…', () => ask('Resolve this report', [{ name: 'note', label: 'What was done about it', maxlength: 500 }], 'Resolve',
      async ({ note }) => {
        await app.act.resolve(room.name, report.report, note);
        again();
      }), 'button.small')));
}

export function makeBans(app, room) {
  const restraints = (it) => [['banned', it.banned, it.banned_until, 'unban'], ['muted', it.muted, it.muted_until, 'unmute']].filter(([, on]) => on);
  return loaded(() => app.act.bans(room.name), 'Banned and muted people', 'Nobody is banned or muted', (it, again) => el('li.card', {},
    restraints(it).map(([word, , until, lift]) => el('p', {}, said('b', it.user), ` is ${word} ${until ? `until ${when(until)}` : 'for good'} `,
      button(lift === 'unban' ? 'Unban' : 'Unmute', async () => {
        if (await app.attempt(app.act[lift](room.name, it.user))) again();
      }, 'button.small'))), it.reason && said('p', it.reason)));
}

export function makeAudit(app, room) {
  return loaded(() => app.act.audit(room.name), 'Audit', 'Nothing yet', (it) => el('li.card', {},
    el('p', {}, said('b', it.by), ` · ${it.act.replaceAll('_', ' ')}`, it.user && [' · ', said('b', it.user)]), it.reason && said('p', it.reason),
    el('p.hint', {}, `${when(it.at)}${it.address ? ` · from ${it.address}` : ''}`)));
}

/** A list that is asked for once, and again after something was done. */
function loaded(load, label, empty, draw) {
  const list = el('ul.cards', { 'aria-label': label });
  const status = el('p.status', { role: 'status' }, 'Loading…');
  const node = el('div.scroll.padded', { tabindex: 0 }, status, list);
  const again = async () => {
    try {
      const all = await load();
      list.replaceChildren(...all.map((it) => draw(it, again)));
      status.textContent = all.length ? '' : empty;
    } catch (refusal) {
      status.textContent = words(refusal);
    }
  };
  return { node, shown: again };
}
