"""What the page does: asks `/status` each second, hears `/events`, and says both in words.

All text from peers and applications is set as text, never as markup.
"""

SCRIPT = r"""
'use strict';
const LOOPBACK = /^(localhost|127\.[\d.]+|\[::1\])$/, hostOf = at => at.slice(0, at.lastIndexOf(':'));
const EVENTS_MAX = 60, ENTRIES_BACK = 30, REIGNS_MAX = 8, ROUND = 8, ASK_EVERY_MS = 1000, PATIENCE_MS = 3000,
  SLEPT_MS = 20000;
const $ = id => document.getElementById(id);
const DURABILITY = {
  alone: 'on the disk of the server alone',
  heir: 'on the disks of the server and its heir',
  majority: 'on the disks of a majority',
  all: 'on the disks of all members'};
const SAFETY = {
  survivor: 'survivor: the last one standing serves on',
  quorum: 'quorum: only a majority may serve'};
const STATE = {live: ['● live', 'good'], absent: ['✕ absent', 'bad'], learner: ['◐ learner', 'doubt']};
const ROLE = {server: 'the server', client: 'a client', seeking: 'seeking a server',
  candidate: 'standing for election'};
const MAIN = new Set(['server_lost', 'reign_began', 'reign_ended', 'server_followed', 'member_changed',
  'handover_began', 'handover_ended', 'founding_changed', 'disk_gave_out', 'woke', 'histories_compared']);

function node(tag, cls, text) {
  const n = document.createElement(tag);
  if (cls) n.className = cls;
  if (text !== undefined) n.textContent = text;
  return n;
}
function say(id, text) { if ($(id).textContent !== text) $(id).textContent = text; }
const drawn = {};
function draw(id, data, make) {  // Only what changed is drawn anew: a selection, or a reader's place, stays.
  const key = JSON.stringify(data);
  if (drawn[id] === key) return;
  drawn[id] = key;
  $(id).replaceChildren(...make());
}
const entries = n => n + (n === 1 ? ' entry' : ' entries');
const names = list => list.length < 2 ? list.join('') : list.slice(0, -1).join(', ') + ' and ' + list.at(-1);
function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return s + ' s';
  if (s < 3600) return Math.floor(s / 60) + ' min ' + s % 60 + ' s';
  if (s < 172800) return Math.floor(s / 3600) + ' h ' + Math.floor(s % 3600 / 60) + ' min';
  return Math.floor(s / 86400) + ' days';
}
const clock = time => new Date(time).toLocaleTimeString([], {hour12: false});
function moment(time) {
  const d = new Date(time), today = d.toDateString() === new Date().toDateString();
  return today ? clock(d) : d.toLocaleString([], {hour12: false});
}
function row(place, name, tag, tagClass, more, rowClass, page) {
  const li = node('li', rowClass), named = node(page ? 'a' : 'span', 'name', name);
  if (page) named.href = page;
  li.append(node('span', 'place soft', place), named, node('span', 'tag ' + tagClass, tag));
  if (more) li.append(node('span', 'more', more));
  return li;
}

let status = null, loss = null, reignsOf = '', spoken = null;
function show(s) {
  status = s;
  const server = s.server && s.server.name;
  document.title = (server ? server + ' serves' : 'Nobody serves') + ' · ' + s.cluster;
  say('cluster', s.cluster);
  say('me', 'seen from ' + s.name + ', ' + (ROLE[s.role] || s.role));
  $('now').className = server ? '' : 'nobody';
  say('serving', server ? '★ ' + server + ' serves' : '◌ Nobody serves');
  say('problem', s.problem ? s.problem[0].toUpperCase() + s.problem.slice(1) + '.' : '');
  const outside = s.members.length && !s.members.some(m => m.id === s.id);
  say('note', outside ? s.name + ' is not a member: not yet, or not any more.' : '');
  const next = s.fallbacks.length ? s.fallbacks[0].name : '';
  const words = server ? server + ' serves, in term ' + s.term.number + '.' + (next ? ' The heir is ' + next + '.' : '')
    : 'Nobody serves. ' + s.problem;
  if (words !== spoken) { say('spoken', words); spoken = words; }
  facts(s);
  fallbacks(s, server, next);
  members(s, next);
  if (s.term.number + s.term.holder !== reignsOf) reigns(s.term.number + s.term.holder);
  tick();
}
function facts(s) {
  const told = [['Acknowledged means', s.server ? DURABILITY[s.durability] || s.durability
    : 'nothing now: commands wait'],
    ['In reach', s.reach + ' of ' + s.members.length + (s.members.length === 1 ? ' member' : ' members')],
    ['Safety', SAFETY[s.safety] || s.safety],
    ['Here', s.applied === s.commit ? 'all ' + entries(s.applied) + ' applied'
      : s.applied + ' of ' + entries(s.commit) + ' applied']];
  if (s.server) told.push(['Server\'s address', s.server.address]);
  else told.splice(1, 1);
  applications(String(s.apps));
  draw('facts', told, () => told.map(([name, value]) => {
    const d = node('div'); d.append(node('dt', '', name), node('dd', '', value)); return d;
  }));
}
let appsOf = '';
async function applications(key) {  // An index: each has a page.
  if (key === appsOf) return;
  appsOf = key;
  try {
    const answer = await fetch('/apps', {cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS)});
    const list = (await answer.json()).apps;
    $('apps').replaceChildren(...list.length ? list.map(app => {
      const li = node('li', 'none'), a = node('a', 'name', app.name);
      a.href = '/apps/' + encodeURIComponent(app.name);
      li.append(a, node('div', 'small', app.doc.split('\n')[0].replaceAll('`', '')));
      return li;
    }) : [node('li', 'none', 'None.')]);
  } catch (e) { appsOf = ''; }
}
function fallbacks(s, server, next) {
  say('after', server ? 'If ' + server + ' dies, ' + (next || 'nobody') + ' serves on' : 'Who may serve on');
  say('aftersoft', !server && next ? 'The list of the last heartbeat, best first.' : next ? 'Best first.' : '');
  draw('fallbacks', [s.fallbacks, !server], () => s.fallbacks.length ? s.fallbacks.map((f, i) => row(i + 1, f.name,
    i === 0 ? '➜ heir' : f.in_sync ? '● in sync' : '◐ behind',
    i === 0 ? 'badge' : f.in_sync ? 'good' : 'doubt',
    [f.reason, i === 0 && f.in_sync ? 'in sync' : '', f.in_sync || f.lag < 1 ? '' : entries(f.lag) + ' behind',
      f.counts ? 'acknowledgements wait for its disk' : '', f.address].filter(Boolean).join(' · '),
    i === 0 ? 'heir' : '')) : [node('li', 'none', server ? 'Nobody stands ready yet.' : 'The last list was empty.')]);
  $('handover').hidden = !(s.role === 'server' && next);
  say('handover', 'Let ' + next + ' serve now');
}
// The page of another member, as a browser here reaches it: loopback is of this very machine, if it is of a peer at the
// same host; "" where there is none.
function pageOf(m, s) {
  const at = m.http || '', own = s.members.find(o => o.id === s.id), end = at.lastIndexOf(':');
  const host = /^(0\.0\.0\.0|\[::\])$/.test(at.slice(0, end)) ? hostOf(m.address) : at.slice(0, end);
  const near = LOOPBACK.test(location.hostname) && own && hostOf(own.address) === hostOf(m.address);
  return !at || m.id === s.id || LOOPBACK.test(host) && !near ? '' : location.protocol + '//' + host + at.slice(end);
}
function members(s, next) {
  draw('members', [s.members, s.server, s.id, next], () => s.members.length ? s.members.map(m => {
    const [state, cls] = STATE[m.state] || [m.state, 'doubt'];
    const serves = s.server && m.id === s.server.id;
    return row(serves ? '★' : '', m.name + (m.id === s.id ? ' (this page)' : ''), state, cls,
      [serves ? 'serves' : m.name === next ? 'heir' : '', m.lag > 0 ? entries(m.lag) + ' behind'
        : m.lag === 0 && m.state === 'live' && !serves ? 'up to date' : '', m.address].filter(Boolean).join(' · '),
      '', pageOf(m, s));
  }) : [node('li', 'none', 'No members yet.')]);
}
async function reigns(key) {
  try {
    const answer = await fetch('/history', {cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS)});
    const list = (await answer.json()).reigns;
    const rows = list.map((r, i) => row(r.term.number, r.name, moment(r.began), 'soft',
      [i + 1 < list.length ? 'for ' + span(new Date(list[i + 1].began) - new Date(r.began)) : '', r.because,
        r.outage_ms ? 'callers waited up to ' + Math.round(r.outage_ms) + ' ms' : ''].filter(Boolean).join(' · ')));
    $('reigns').replaceChildren(...rows.reverse().slice(0, REIGNS_MAX));
    reignsOf = key;
  } catch (e) { reignsOf = ''; }
}
function tick() {  // What grows by itself, outside of what is read out.
  const s = status;
  if (!s || silentSince) return;
  const term = s.term.number ? 'term ' + s.term.number : '';
  let words = term;
  if (s.server && s.since) words += ', for ' + span(Date.now() - new Date(s.since)) + ', since ' + moment(s.since);
  else if (!s.server && loss) words = 'for ' + span(Date.now() - loss.at);
  say('since', words);
  steps(s);
}
function steps(s) {
  const list = [];
  if (loss && !s.server) {
    list.push(['lost ' + loss.server, 'done']);
    for (let k = 1; k <= loss.attempts; k++)
      list.push(['retry ' + k, k < loss.attempt || loss.over ? 'done' : k === loss.attempt ? 'here' : '']);
    list.push(['election', loss.over ? 'here' : '']);
  }
  draw('steps', list, () => list.map(([text, cls]) => {
    const li = node('li', cls, (cls === 'done' ? '✓ ' : '') + text);
    if (cls === 'here') li.setAttribute('aria-current', 'step');
    return li;
  }));
}

let asking = false, again = false, silentSince = 0;
async function refresh() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    const answer = await fetch('/status', {cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS)});
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
    silentSince = 0;
    say('link', '');
  } catch (e) {
    silentSince = silentSince || Date.now();
    document.title = 'No answer · ' + (status ? status.name : 'tanist');
    say('link', '✕ ' + (status ? status.name : 'This peer') + ' does not answer since ' + clock(silentSince) +
      '. This page tries again; below is how it was. Other members may know more: their names lead to their pages.');
  }
  document.querySelector('main').classList.toggle('stale', silentSince > 0);
  asking = false;
  if (again) { again = false; setTimeout(refresh, 100); }
}

const nameOf = id => (status && status.members.find(m => m.id === id) || {name: id}).name;
function follow(e) {  // The story of a loss, from the events of this peer.
  const f = e.fields || {};
  if (e.event === 'change_settled') reignsOf = '';  // What the change cost is known now.
  if (e.event === 'server_lost')
    loss = {server: nameOf(f.server), at: Date.now(), attempt: 0, attempts: 3, over: false};
  if (!loss) return;
  if (e.event === 'retry_started') { loss.attempt = f.attempt; loss.attempts = f.attempts; }
  if (['retries_exhausted', 'fallback_chosen', 'canvass_started', 'vote_cast'].includes(e.event)) loss.over = true;
  if (e.event === 'reign_began' || e.event === 'server_followed') {
    const to = e.event === 'server_followed' ? nameOf(f.server) : status ? status.name : 'this peer';
    say('last', loss.server === to ? to + ' is back after ' + ((Date.now() - loss.at) / 1000).toFixed(1) + ' s.'
      : to + ' took over from ' + loss.server + '; nobody served for ' +
        ((Date.now() - loss.at) / 1000).toFixed(1) + ' s.');
    loss = null;
  }
}
function sentence(e) {  // What the peer said, with names for the ids that it did not know yet.
  let line = (e.line || e.event).replace(' -> ', ' → ');
  if (e.fields && e.fields.peer && e.fields.name) return line.replace(' (' + e.fields.peer + ')', '');
  for (const m of status ? status.members : []) line = line.replaceAll(m.id, m.name);
  return line;
}
function tell(e, past) {
  const cluster = e.type === 'cluster', line = cluster ? sentence(e) : e.line || e.event;
  const text = cluster ? line : e.app + ': ' + line, box = $('events');
  // Who seeks in vain says the same again and again: once is enough, with how often.
  const same = cluster && [...box.children].slice(0, ROUND).find(li => li.dataset.text === text);
  const li = same || node('li'), times = same ? Number(li.dataset.times) + 1 : 1;
  li.dataset.text = text;
  li.dataset.times = times;
  li.replaceChildren(node('time', '', past ? 'earlier' : clock(Date.now())),
    node('span', cluster && MAIN.has(e.event) ? 'main' : '', times > 1 ? text + ' (' + times + ' times)' : text));
  if ($('none')) $('none').remove();
  box.prepend(li);
  while ($('events').children.length > EVENTS_MAX) $('events').lastChild.remove();
}
let after = '', wait = 500, hearing = null, hiddenAt = 0;
function listen() {
  const from = after || (status ? Math.max(0, status.applied - ENTRIES_BACK) + '.0' : '');
  const ws = new WebSocket(location.origin.replace('http', 'ws') + '/events' + (from ? '?after=' + from : ''));
  let opened = Infinity;
  hearing = ws;
  ws.onopen = () => { wait = 500; opened = Date.now(); };
  ws.onmessage = m => {
    const e = JSON.parse(m.data), past = Date.now() - opened < 300;
    if (e.type === 'error') { after = ''; return; }
    if (e.position) after = e.position;
    if (e.type === 'cluster' && !past) { follow(e); tick(); refresh(); }
    tell(e, past);
  };
  ws.onclose = () => { setTimeout(listen, wait); wait = Math.min(wait * 2, 8000); refresh(); };
}
async function handOver() {
  if (!confirm($('handover').textContent + '? ' + status.name + ' becomes a client.')) return;
  $('handover').disabled = true;
  say('said', '');
  try {
    const answer = await fetch('/cluster/handover', {method: 'POST', body: '{}'}), said = await answer.json();
    if (!answer.ok) say('said', said.error.message);
  } catch (e) { say('said', 'No answer: it may be done, or not.'); }
  $('handover').disabled = false;
  refresh();
}
$('handover').addEventListener('click', handOver);
document.addEventListener('visibilitychange', () => {
  if (document.hidden) { hiddenAt = Date.now(); return; }
  refresh();
  // A phone that slept is not told that its connection is dead.
  if (hearing && hearing.readyState === WebSocket.OPEN && Date.now() - hiddenAt > SLEPT_MS) {
    hearing.onclose = hearing.onmessage = null;
    hearing.close();
    listen();
  }
});
setInterval(tick, ASK_EVERY_MS);
setInterval(() => { if (!document.hidden) refresh(); }, ASK_EVERY_MS);
refresh().then(listen);
"""
