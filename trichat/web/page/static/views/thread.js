// A thread: its root, its replies, and a composer of its own.
import { el } from './dom.js';
import { makeComposer } from './composer.js';
import { entryNode } from './entry.js';
import { count } from './format.js';
import { makeTimeline } from './timeline.js';

export function makeThread(app, room, root) {
  const thread = () => room.threads.get(root);
  const rootNode = () => thread()?.root ?? room.entries.find((entry) => entry.seq === root);
  let lead = null;
  let leadSign = null;
  let readUpTo = 0;
  const timeline = makeTimeline(app, room, () => ({
    entries: thread()?.entries ?? [], more: thread()?.more ?? false, loading: false, older: () => app.act.olderInThread(room.name, root),
    place: 'thread', label: 'Replies', newAfter: null, read, lead: drawLead(), empty: 'No replies yet',
  }));
  const composer = makeComposer(app, room, root);
  app.threadComposer = composer;
  const node = el('div.thread', {}, timeline.node, composer.node);

  function read(seq) {
    if (seq <= readUpTo) return;
    readUpTo = seq;
    app.act.readThread(room.name, root).catch(() => {}); // a lost marker is said again with the next reply
  }

  function drawLead() {
    const entry = rootNode();
    const sign = entry && `${entry.rev} ${entry.replies} ${entry.deleted}`;
    if (!entry || sign === leadSign) return lead;
    leadSign = sign;
    lead = entryNode(app, room, entry, true, 'thread');
    lead.classList.add('root');
    lead.classList.remove('entry');
    lead.removeAttribute('tabindex');
    for (const part of lead.querySelectorAll('button, a')) part.tabIndex = 0;
    lead.append(el('p.hint', {}, count(entry.replies ?? 0, 'reply', 'replies')));
    return lead;
  }

  function update() {
    timeline.update();
    composer.update();
  }

  function shown() {
    app.attempt(app.act.thread(room.name, root)).then(update);
    composer.focus();
  }

  function close() {
    timeline.close();
    app.threadComposer = null;
  }

  return { node, update, shown, close };
}
