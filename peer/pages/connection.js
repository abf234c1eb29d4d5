// A client at this peer: calls, events, and who serves. It comes back when the connection is lost, says again who it
// is, and repeats under its key what was not answered, so that nothing is done twice. When this peer is gone for
// longer, it goes to the page of another one.

const AGAIN_MS = [200, 400, 800, 1500];  // Between tries; the last again and again.
const ASK_EVERY_MS = 2000;  // Who serves, where events do not say it.
const PATIENCE_MS = 3000;  // For an answer of /status, and for the first word on a connection.
const UNHEARD_MAX = 3;  // Questions in a row that nothing followed: the peer is frozen, or the connection is dead.
const ELSEWHERE_MS = 5000;  // Away for so long: look for another peer.
const PROBE_MS = 1500;
const UPLOAD_S = 30;  // For which a file waits for a server, as other commands do.
const WAITING_MAX = 60;  // Calls that wait for an answer; more are refused. A peer does 64 at a time.
const INTRODUCTIONS_MAX = 6, INTRODUCE_AGAIN_MS = 400;
const POSITION = /^\d{1,18}\.\d{1,18}$/;
const LOOPBACK = /^(localhost|127\.[\d.]+|\[::1\])$/;
const ANYWHERE = /^(0\.0\.0\.0|\[::\])$/;

const hostOf = address => address.slice(0, address.lastIndexOf(':'));

// Pages of other peers that a browser at `here` (host:port) can reach, best first: the server's, the heirs', all
// others'.
export function elsewhere(status, here) {
  const own = status.members.find(m => m.id === status.id);
  const place = id => {
    const at = status.fallbacks.findIndex(f => f.id === id);
    return status.server && status.server.id === id ? -1 : at < 0 ? status.fallbacks.length : at;
  };
  const found = [];
  for (const m of [...status.members].sort((a, b) => place(a.id) - place(b.id))) {
    if (!m.http || m.id === status.id) continue;
    let host = hostOf(m.http);
    const port = m.http.slice(host.length);
    if (ANYWHERE.test(host)) host = hostOf(m.address);
    // An address of loopback is that machine's own: it is this browser's if both peers are on one machine.
    const near = LOOPBACK.test(hostOf(here)) && (!own || hostOf(m.address) === hostOf(own.address));
    if (LOOPBACK.test(host) && !near) continue;
    if (host + port !== here) found.push(host + port);
  }
  return found;
}

export class Connection {
  // `luggage` is what the page of another peer gave along.
  constructor(app, luggage) {
    this.app = app;
    this.peer = '';
    this.status = null;
    this.away = 0;  // Since when nobody answers here, by the clock; 0 while connected.
    this.trying = '';  // The page of another peer that is being tried.
    this.clockAhead = 0;  // Milliseconds that the peer's clock is ahead of this one's.
    this._ready = false;
    this._socket = null;
    this._tries = 0;
    this._unheard = 0;
    this._asking = this._askAgain = false;
    this._number = 0;
    // Behind what it has heard. A link may have anything there.
    this._after = POSITION.test(luggage.get('after')) ? luggage.get('after') : '';
    this._session = luggage.get('session') || '';  // The one before, which the next one takes the place of.
    this._waiting = new Map();
    this._said = new Map();  // What makes this client known, said again in each new session.
    this._hearers = new Set();
    this._watchers = new Set();
  }

  begin() {
    this._open();
    this._ask();
    const look = () => { if (!document.hidden) { this._feel(); this._ask(); } };
    setInterval(look, ASK_EVERY_MS);
    document.addEventListener('visibilitychange', look);
    addEventListener('online', () => { if (this.away) this._open(); });
  }

  // Both give a function that ends it.
  watch(told) { this._watchers.add(told); return () => this._watchers.delete(told); }
  hear(told) { this._hearers.add(told); return () => this._hearers.delete(told); }

  // Has a command done, or asks a query; texts are the arguments as typed, `file` is the one that is bytes. An answer,
  // or an error: code and message.
  call(name, texts = {}, {repeat = true, file = null} = {}) {
    if (this._waiting.size >= WAITING_MAX)
      return Promise.reject({code: 'overloaded', message: 'Too much waits for an answer here.'});
    return new Promise((resolve, reject) => {
      const message = {id: ++this._number, app: this.app, name, texts};
      if (repeat) message.key = crypto.getRandomValues(new Uint32Array(4)).join('-');
      this._waiting.set(message.id, {message, repeat, file, resolve, reject, sent: false});
      if (this._ready) this._send(message.id);
    });
  }

  ask(name, texts = {}) { return this.call(name, texts, {repeat: false}); }

  // A command that says who this client is: done now, and again in each session that follows.
  async introduce(name, texts) {
    const answer = await this.call(name, texts);
    this._said.set(name, texts);
    this._tell();
    return answer;
  }
  introduced(name) { return this._said.get(name); }
  forget(name) { this._said.delete(name); this._tell(); }

  // Where a command or query is over HTTP.
  addressOf(name, texts) {
    return `/apps/${encodeURIComponent(this.app)}/${encodeURIComponent(name)}?${new URLSearchParams(texts)}`;
  }

  _send(id) {
    const call = this._waiting.get(id);
    call.sent = true;
    if (call.file) this._put(call);
    else this._socket.send(JSON.stringify(call.message));
  }

  // What breaks off with the connection is sent again over the next one, under its key.
  async _put({message: {id, name, texts, key}, file}) {
    const socket = this._socket;
    let said;
    try {
      const address = this.addressOf(name, {timeout: UPLOAD_S, ...texts});
      said = await (await fetch(address, {method: 'PUT', body: file, headers: {'Idempotency-Key': key}})).json();
    } catch (e) {
      await new Promise(later => setTimeout(later, AGAIN_MS[0]));
      const message = 'The file did not get through: it is too large, or was changed meanwhile.';
      said = {error: {code: 'broken_off', message}};
    }
    if (socket === this._socket && this._ready) this._answered({...said, id});
  }

  _open() {
    clearTimeout(this._again);
    if (this._socket) this._drop();
    this._ready = false;
    this._unheard = 0;
    const before = new URLSearchParams();
    if (this._after) before.set('after', this._after);
    if (this._session) before.set('instead', this._session);
    const socket = this._socket = new WebSocket(`${location.origin.replace('http', 'ws')}/client?${before}`);
    socket.onmessage = m => this._take(JSON.parse(m.data));
    socket.onclose = () => this._lost();
    // A peer that is frozen takes the connection, and says nothing.
    this._again = setTimeout(() => this._hangUp(), PATIENCE_MS);
  }

  _lost() {
    clearTimeout(this._again);
    this._ready = false;
    this.away = this.away || Date.now();
    for (const [id, call] of this._waiting)
      if (call.sent && !call.repeat) {
        this._waiting.delete(id);
        call.reject({code: 'gone', message: this.peer + ' went away before it answered: it may be done, or not.'});
      }
    this._again = setTimeout(() => this._open(), AGAIN_MS[Math.min(this._tries++, AGAIN_MS.length - 1)]);
    this._tell();
    if (Date.now() - this.away > ELSEWHERE_MS) this._goElsewhere();
  }

  async _take(said) {
    this._unheard = 0;
    if (said.position) this._after = said.position;
    if ('session' in said) {
      clearTimeout(this._again);
      this.peer = said.peer;
      this._session = said.session;
      this._tries = 0;
      await this._introduceAgain();
      return;
    }
    if (!('event' in said)) return this._answered(said);
    if (said.event === 'server_lost' && this.status) {
      this.status = {...this.status, server: null};
      this._tell();
    }
    if (!said.app) this._ask();
    if (!said.app || said.app === this.app) this._happened(said);
  }

  _answered(said) {
    const call = this._waiting.get(said.id);
    this._waiting.delete(said.id);
    if (call) said.error ? call.reject(said.error) : call.resolve(said);
    if (said.receipt) this._happened({event: 'done', fields: {}, line: ''});
  }

  async _introduceAgain() {
    const socket = this._socket;
    const unanswered = [...this._waiting.keys()];
    for (const [name, texts] of [...this._said])
      // The session before may take a moment to end, and holds the name till then.
      for (let tries = 1; !await this._done(name, texts); tries++) {
        if (socket !== this._socket || socket.readyState !== WebSocket.OPEN) return;
        if (tries === INTRODUCTIONS_MAX) { this._said.delete(name); break; }
        await new Promise(later => setTimeout(later, INTRODUCE_AGAIN_MS));
      }
    if (socket !== this._socket || socket.readyState !== WebSocket.OPEN) return;
    const again = this.away > 0;
    this._ready = true;
    this.away = 0;
    for (const id of unanswered) if (this._waiting.has(id)) this._send(id);
    for (const [id, call] of this._waiting) if (!call.sent) this._send(id);
    this._tell();
    const line = `connected to ${this.peer} again, as a new client`;
    if (again) this._happened({event: 'connected', fields: {}, line});
  }

  // Whether a command was done, outside of the order of calls.
  _done(name, texts) {
    if (this._socket.readyState !== WebSocket.OPEN) return false;
    const id = ++this._number;
    const answered = new Promise((resolve, reject) =>
      this._waiting.set(id, {message: {id, app: this.app, name, texts}, repeat: false, resolve, reject}));
    this._send(id);
    return answered.then(() => true, () => false);
  }

  async _ask() {
    this._askAgain = this._asking;
    if (this._asking) return;
    this._asking = true;
    try {
      const answer = await fetch('/status', {cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS)});
      this.status = await answer.json();
      // The header has whole seconds, which half of one is the middle of.
      const date = Date.parse(answer.headers.get('Date'));
      if (date) this.clockAhead = date + 500 - Date.now();
    } catch (e) { /* What is known stays; whether the peer is there, the connection tells. */ }
    this._asking = false;
    this._tell();
    if (this._askAgain) this._ask();
  }

  // Whether the connection still carries something: a phone that slept is not told that it does not. A file on its way
  // may hold up all else.
  _feel() {
    const sending = [...this._waiting.values()].some(call => call.file && call.sent);
    if (sending || !this._socket || this._socket.readyState !== WebSocket.OPEN) return;
    if (this._unheard++ >= UNHEARD_MAX) this._hangUp();
    else this._socket.send(JSON.stringify({id: 0, ping: true}));
  }

  // Nobody answers on a connection that stands.
  _hangUp() {
    this._drop();
    this._lost();
  }
  _drop() {
    this._socket.onclose = this._socket.onmessage = null;
    this._socket.close();
  }

  async _goElsewhere() {
    if (this.trying || !this.status) return;
    for (const place of elsewhere(this.status, location.host)) {
      this.trying = place;
      this._tell();
      const origin = location.protocol + '//' + place;
      try {
        await fetch(origin + '/healthz', {mode: 'no-cors', cache: 'no-store', signal: AbortSignal.timeout(PROBE_MS)});
      } catch (e) { continue; }
      if (!this.away) break;
      location.replace(origin + location.pathname + '#' + this._luggage());
      return;
    }
    this.trying = '';
    this._tell();
  }

  // What a person had typed goes along, to be sent there by hand: a link that sends it could be anybody's.
  _luggage() {
    const things = new URLSearchParams({left: this.peer || location.host, session: this._session, after: this._after});
    for (const {repeat, sent, message} of this._waiting.values())
      if (repeat) things.append(sent ? 'unsure' : 'undone', message.name);
    for (const field of document.querySelectorAll('input[name], textarea[name], select[name]'))
      if (!['password', 'checkbox', 'file'].includes(field.type) && field.value) things.set(field.name, field.value);
    for (const [name, texts] of this._said) for (const key in texts) things.set(name + '.' + key, texts[key]);
    return things;
  }

  _happened(said) { for (const told of this._hearers) told(said); }
  _tell() { for (const told of this._watchers) told(); }
}
