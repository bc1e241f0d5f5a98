import { render } from 'preact';
import { Details, Operations } from './details.js';
import { Events } from './events.js';
import { Filters, Header, Totals } from './header.js';
import { html, type Node } from './html.js';
import { Map } from './map.js';
import { Alerts, Sections, System } from './sections.js';
import { Services } from './services.js';
import { filter, start } from './store.js';
import './style.css';

function App(): Node {
  const { board, open } = filter.value;
  return html`<${Header} />
    <main class=${`${board ? 'board' : ''} ${open ? 'has-details' : ''}`}>
      <${Alerts} />
      <${Totals} />
      ${!board && html`<${Filters} />`}
      <div class="columns">
        <${Map} />
        <${Services} />
      </div>
      ${!board && html`<${System} /><${Operations} /><${Sections} />`}
      <${Events} />
    </main>
    <${Details} />`;
}

const root = document.getElementById('app');
if (root) {
  root.replaceChildren();
  render(html`<${App} />`, root);
  start();
}
