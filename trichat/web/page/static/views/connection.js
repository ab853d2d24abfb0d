// The bar that says how the connection is, when it is not well.
import { button, el } from './dom.js';
import { count } from './format.js';

export function makeConnectionBar(app) {
  const text = el('span');
  const node = el('div.connection', { role: 'status', hidden: true }, text);
  let retry = null;
  let ticking = 0;
  let patience = 0;

  function update() {
    const { connection } = app.state;
    clearInterval(ticking);
    clearTimeout(patience);
    const kind = connection.status === 'online' ? (connection.degraded ? 'degraded' : null) : connection.status;
    // Connecting mostly takes no time at all: a bar that flashes up and goes would only disturb.
    if (kind === 'connecting' && node.hidden) patience = setTimeout(() => show(kind, connection), 700);
    else show(kind, connection);
    if (kind === 'offline' && connection.retryAtMs) ticking = setInterval(() => say(kind, connection), 1000);
  }

  function show(kind, connection) {
    node.hidden = !kind;
    if (!kind) {
      text.textContent = '';
      return;
    }
    node.className = `connection ${kind}`;
    say(kind, connection);
    const again = kind === 'offline' || kind === 'ended';
    if (again && !retry) node.append((retry = button(kind === 'ended' ? 'Sign in again' : 'Retry now', () => retryNow(app, kind))));
    if (!again && retry) {
      retry.remove();
      retry = null;
    }
  }

  function say(kind, connection) {
    const words = sentence(kind, connection);
    if (text.textContent !== words) text.textContent = words;
  }

  return { node, update };
}

function retryNow(app, kind) {
  if (kind === 'ended' && app.state.me) app.attempt(app.act.logout());
  else app.attempt(app.act.reconnect());
}

function sentence(kind, connection) {
  if (kind === 'degraded') return 'Some messages may come a little later than usual.';
  if (kind === 'connecting') return 'Connecting…';
  if (kind === 'ended') return `Signed out here${connection.why ? `: ${connection.why}` : ''}.`;
  const left = connection.retryAtMs ? Math.max(0, Math.ceil((connection.retryAtMs - Date.now()) / 1000)) : 0;
  return `Offline${left ? `, next try in ${count(left, 'second')}` : ''}. What you write is kept and sent later.`;
}
