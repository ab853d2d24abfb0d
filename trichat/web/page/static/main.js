// The page: an engine over the socket of this server, and the views over the engine.
import { openEngine } from './engine/engine.js';
import { openStorage } from './engine/storage.js';
import { applyScheme } from './views/scheme.js';
import { startPage } from './views/shell.js';

applyScheme();
const url = new URL('/ws', location.href);
url.protocol = url.protocol.replace('http', 'ws');
startPage(await openEngine({ url: url.href, storage: await openStorage() }), document.body);
