// The pane beside the room: one thing at a time, a thread, a search, the people, or one of the room's lists.
import { el, iconButton } from './dom.js';
import { makeAudit, makeBans, makePins, makeReports } from './lists.js';
import { makePeople } from './people.js';
import { makeSearch } from './search.js';
import { makeThread } from './thread.js';

const KINDS = {
  thread: ['Thread', makeThread],
  search: ['Search', makeSearch],
  people: ['People', makePeople],
  pins: ['Pinned messages', makePins],
  reports: ['Reports', makeReports],
  bans: ['Banned and muted', makeBans],
  audit: ['What was done here', makeAudit],
};

export function makePanel(app) {
  const title = el('h2', { id: 'panel-title' });
  const node = el('aside.panel', { 'aria-labelledby': 'panel-title', hidden: true });
  const header = el('header.top', {}, title, iconButton('close', 'Close this pane', () => app.closePanel()));
  let open = null;

  function show(kind, about) {
    close();
    const room = app.current();
    if (!room && kind !== 'search') return;
    const [words, make] = KINDS[kind];
    title.textContent = words;
    open = { kind, about, ...make(app, room, about) };
    node.hidden = false;
    node.replaceChildren(header, open.node);
    open.update?.();
    open.shown?.();
  }

  /** Closes what is shown; says whether there was anything. */
  function close() {
    if (!open) return false;
    open.close?.();
    open = null;
    node.hidden = true;
    node.replaceChildren();
    return true;
  }

  /** What belongs to one room ends with it; a search through all of them stays. */
  function roomChanged() {
    if (!(open?.kind === 'search' && open.about?.everywhere)) close();
  }

  return { node, show, close, roomChanged, update: () => open?.update?.() };
}
