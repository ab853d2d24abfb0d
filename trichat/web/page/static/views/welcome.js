// What one sees who is nobody yet: in with one click, with a name, or with an account.
import { button, el } from './dom.js';
import { ask, makeForm } from './overlays.js';

export function makeWelcome(app) {
  const form = makeForm([
    { name: 'name', label: 'Your name (if you like)', maxlength: 64, autocomplete: 'nickname', hint: 'Without one you get a number.', autofocus: true },
  ], 'Chat as guest', ({ name }) => app.act.guest(name.trim() || undefined));
  form.classList.add('guest');
  const status = el('p.status', { role: 'status' });
  const node = el('main.welcome', {}, el('h1', {}, 'trichat'), el('p', {}, 'Come in and say something.'), form,
    el('p.or', {}, button('Sign in', () => askLogin(app)), ' ', button('Register', () => askRegister(app))), status);

  function update() {
    const { connection } = app.state;
    const text = connection.status === 'connecting' ? 'Connecting…' : '';
    if (status.textContent !== text) status.textContent = text;
    form.hidden = app.state.guests === false; // they are refused here: it takes an account
  }

  return { node, update, shown: () => form.querySelector('input').focus() };
}

export function askLogin(app) {
  const fields = [
    { name: 'name', label: 'Name', required: true, autocomplete: 'username', maxlength: 64 },
    { name: 'password', label: 'Password', type: 'password', required: true, autocomplete: 'current-password' },
    { name: 'code', label: 'Code of your authenticator (if you use one)', inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: 8 },
  ];
  ask('Sign in', fields, 'Sign in', ({ name, password, code }) => app.act.login(name.trim(), password, code.trim() || undefined));
}

export function askRegister(app) {
  const fields = [
    { name: 'name', label: 'Name', required: true, autocomplete: 'username', maxlength: 64, hint: 'By this others mention you. It is written in lower case.' },
    { name: 'password', label: 'Password', type: 'password', required: true, autocomplete: 'new-password', minlength: 8, hint: '8 characters at least' },
  ];
  ask('Register', fields, 'Register', ({ name, password }) => app.act.register(name.trim(), password));
}
