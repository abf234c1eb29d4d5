// Draws the page of the application that the document names: the one made by hand, or the generic one.

import {html, render} from './vendor/htm-preact.js';
import {Connection} from './connection.js';
import {Generic} from './generic.js';
import {Frame, luggage} from './parts.js';

const AGAIN_MS = 1000;

async function about(app) {
  for (;;) {
    try {
      const answer = await fetch('/apps/' + encodeURIComponent(app), {headers: {Accept: 'application/json'}});
      if (answer.ok) return await answer.json();
    } catch (e) { /* The peer is away for a moment. */ }
    await new Promise(later => setTimeout(later, AGAIN_MS));
  }
}

const page = document.getElementById('page'), {app, made} = page.dataset;
const [told, own] = await Promise.all([about(app), made ? import(`./made/${made}.js`) : null]);
const link = new Connection(app, luggage);
const generic = html`<${Generic} link=${link} about=${told} />`;
page.replaceChildren();
render(own ? html`<${Frame} link=${link} about=${told} generic=${generic}><${own.default} link=${link} /><//>`
  : html`<${Frame} link=${link} about=${told}>${generic}<//>`, page);
link.begin();
