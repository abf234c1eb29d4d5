// A chat: what was said, who is here, and a line to say something.

import {html, useEffect, useRef} from '../vendor/htm-preact.js';
import {Ask, Field, Said, useAsked, useConnection, useDoing} from '../parts.js';

const SHOWN = '100';  // Messages.
const NEAR_PX = 60;  // So near to the end, a reader is taken along to what is new.

function Log({messages, nick}) {
  const box = useRef(null), near = useRef(true);
  const follow = () => { if (near.current && box.current) box.current.scrollTop = box.current.scrollHeight; };
  useEffect(follow);
  // A phone that is turned, or shows its keyboard.
  useEffect(() => {
    const watching = new ResizeObserver(follow);
    watching.observe(box.current);
    return () => watching.disconnect();
  }, []);
  const scrolled = ({currentTarget: b}) => { near.current = b.scrollHeight - b.scrollTop - b.clientHeight < NEAR_PX; };
  return html`<ol class="talk" ref=${box} onScroll=${scrolled} role="log" tabindex="0" aria-label="Messages">
    ${messages.map((m, at) => html`<li key=${at} class=${m.nick === nick ? 'mine' : ''}>
      <b><bdi>${m.nick}</bdi></b> <bdi>${m.text}</bdi></li>`)}
    ${!messages.length && html`<li class="none soft">Nobody has said anything yet.</li>`}</ol>`;
}

export default function Chat({link}) {
  useConnection(link);
  const history = useAsked(link, 'history', {n: SHOWN});
  const who = useAsked(link, 'who');
  const [act, said] = useDoing(link);
  const {nick} = link.introduced('register') || {};
  const here = who.result || [];
  return html`<div class="grid"><section class="wide" aria-labelledby="talk">
    <h2 id="talk">${nick ? `You are ${nick}` : 'Listening'}</h2>
    <${Log} messages=${history.result || []} nick=${nick} />
    ${nick ? html`<${Ask} key="say" act=${act} name="msg" button="Say">
        <${Field} label="Message" name="msg.text" required maxlength="4000" taking /><//>`
      : html`<${Ask} key="be" act=${act} name="register" options=${{introduce: true}} button="Join in">
        <${Field} label="Your nickname" name="register.nick" required maxlength="32" /><//>`}
    <${Said} said=${said} quiet link=${link} />
    <p class="soft small">${here.length ? 'Here: ' + here.join(', ') : 'Nobody has a nickname here now.'}</p>
    </section></div>`;
}
