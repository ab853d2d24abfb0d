// The frame of the page: three panes, the route in the address, and what the views share.
import { showPersonCard } from './account.js';
import { makeConnectionBar } from './connection.js';
import { el } from './dom.js';
import { personName, roomTitle } from './format.js';
import { listenToKeys } from './keys.js';
import { toast, words } from './overlays.js';
import { makePanel } from './panel.js';
import { makeRoomView } from './room.js';
import { makeRoomsList } from './rooms.js';
import { makeWelcome } from './welcome.js';

const LOBBY = 'lobby';

/** Builds the page into `root` over an engine, and keeps it true from then on. */
export function startPage(engine, root) {
  const app = makeApp(engine);
  const bar = makeConnectionBar(app);
  const stage = el('div.stage');
  root.append(bar.node, stage);
  let frame = null;

  function draw(topics) {
    bar.update();
    const signedIn = Boolean(app.state.me);
    if (!frame || frame.signedIn !== signedIn) {
      frame?.close?.();
      frame = signedIn ? makeFrame(app) : { ...makeWelcome(app), signedIn: false };
      stage.replaceChildren(frame.node);
      frame.shown?.();
    }
    frame.update(topics);
  }

  engine.subscribe((topics) => {
    if (topics.has('toast')) sayToasts(app.state);
    draw(topics);
  });
  addEventListener('hashchange', () => frame?.route?.());
  listenToKeys(app);
  draw(new Set(['connection', 'me', 'rooms']));
  return app;
}

function sayToasts(state) {
  const said = state.toasts?.splice(0) ?? [];
  for (const it of said) toast(it.message ?? it.text ?? String(it), it.kind ?? 'error');
}

/** What every view may use: the engine, and the ways through the page. */
function makeApp(engine) {
  const app = {
    engine,
    state: engine.state,
    act: engine.act,
    room: null, // the name of the room that is shown
    composer: null,
    threadComposer: null,
    title: (room) => (room.kind === 'direct' ? personName(engine.state, room.with?.userId, roomTitle(room)) : roomTitle(room)),
    current: () => engine.state.rooms.get(app.room),
    go: (name, seq) => (location.hash = `#/r/${encodeURIComponent(name)}${seq ? `/${seq}` : ''}`),
    /** Waits for an action and says its refusal in the server's words; true when it was done. */
    attempt: async (promise) => {
      try {
        await promise;
        return true;
      } catch (refusal) {
        toast(words(refusal));
        return false;
      }
    },
    direct: async (user) => {
      try {
        app.go(await engine.act.direct(user));
      } catch (refusal) {
        toast(words(refusal));
      }
    },
    showPerson: (user, name) => showPersonCard(app, user, name),
    showPanel: () => {},
    closePanel: () => {},
    jump: () => {},
    setPane: () => {},
  };
  return app;
}

/** Where the address points: {room, seq} or {code}. */
export function parseRoute(hash) {
  const [, kind, name, seq] = hash.split('/');
  try {
    if (kind === 'r' && name) return { room: decodeURIComponent(name), seq: Number(seq) || null };
    if (kind === 'invite' && name) return { code: decodeURIComponent(name) };
  } catch {
    return {}; // a % that encodes nothing
  }
  return {};
}

function makeFrame(app) {
  const rooms = makeRoomsList(app);
  const panel = makePanel(app);
  const main = el('main', { 'aria-label': 'Room' });
  const skip = el('a.skip', { href: '#write', onclick: (event) => (event.preventDefault(), app.composer?.focus()) }, 'Write a message');
  const node = el('div.frame', { 'data-pane': 'room' }, skip, rooms.node, main, panel.node);
  let view = null;
  const openedBy = { from: null };

  app.setPane = (pane) => {
    node.dataset.pane = pane;
    // On a phone the other panes are beside the window: nobody shall come there by Tab.
    const narrow = matchMedia('(max-width: 720px)').matches;
    for (const [name, part] of [['list', rooms.node], ['room', main], ['panel', panel.node]]) part.inert = narrow && name !== pane;
  };
  const narrowing = matchMedia('(max-width: 720px)');
  const refit = () => app.setPane(node.dataset.pane);
  narrowing.addEventListener('change', refit);
  app.showPanel = (kind, about) => {
    openedBy.from = document.activeElement;
    panel.show(kind, about);
    app.setPane('panel');
  };
  app.closePanel = () => {
    if (!panel.close()) return false;
    app.setPane('room');
    if (openedBy.from?.isConnected) openedBy.from.focus();
    else app.composer?.focus();
    return true;
  };
  app.jump = (name, seq) => {
    if (name !== app.room) app.go(name, seq);
    else {
      app.setPane('room');
      view?.jump(seq);
    }
  };

  async function route() {
    const to = parseRoute(location.hash);
    if (to.code) return accept(to.code);
    const name = to.room ?? (app.state.rooms.has(app.room) ? app.room : LOBBY);
    if (!to.room) history.replaceState(null, '', `#/r/${encodeURIComponent(name)}`);
    return show(name, to.seq);
  }

  async function accept(code) {
    history.replaceState(null, '', '#/');
    try {
      app.go(await app.act.accept(code));
    } catch (refusal) {
      toast(words(refusal));
      route();
    }
  }

  async function show(name, seq) {
    if (name !== app.room || !view) {
      const old = app.room;
      view?.close();
      if (old && old !== name) app.act.close(old).catch(() => {}); // no loss: the engine listens where it must
      app.room = name;
      view = makeRoomView(app, name);
      panel.roomChanged();
      main.replaceChildren(view.node);
      app.setPane('room');
      rooms.update();
      view.open(seq);
    } else if (seq) view.jump(seq);
    app.setPane('room');
  }

  function update(topics) {
    if (topics.has('rooms') || topics.has('me') || topics.has('people') || [...topics].some((topic) => topic.startsWith('room:'))) rooms.update();
    view?.update(topics);
    panel.update(topics);
    const unread = [...app.state.rooms.values()].reduce((sum, room) => sum + (room.level === 'none' ? 0 : room.unread || 0), 0);
    const here = app.current();
    document.title = `${unread ? `(${unread}) ` : ''}${here ? app.title(here) : 'trichat'} · trichat`;
  }

  return {
    node,
    signedIn: true,
    update,
    route,
    shown: () => {
      app.room = null;
      route();
    },
    close: () => {
      view?.close();
      panel.close();
      narrowing.removeEventListener('change', refit);
      app.composer = app.threadComposer = null;
    },
  };
}
