// Keys for everything, and the list of them.

import { zoomTo } from './chart.js';
import { byId, element } from './dom.js';
import { selectAll } from './run_list.js';
import { emit, state } from './state.js';

const help = byId('help');

const keys = [
  { keys: ['/'], does: 'filter runs', run: () => byId('filter').focus() },
  { keys: ['r'], does: 'go to the list of runs', run: () => byId('runs').querySelector('[tabindex="0"]')?.focus() },
  { keys: ['↑', '↓'], does: 'in the list: move' },
  { keys: ['Space', 'Enter'], does: 'in the list: show or hide a run, show it alone' },
  { keys: ['a'], does: 'show all runs that the filter lets through', run: () => selectAll(true) },
  { keys: ['n'], does: 'show none', run: () => selectAll(false) },
  { keys: ['c'], does: 'go to the next chart', run: nextChart },
  { keys: ['←', '→'], does: 'in a chart: move the cursor' },
  { keys: ['+', '-'], does: 'in a chart: zoom around the cursor' },
  { keys: ['0'], does: 'show the whole range; so does a double click', run: () => zoomTo(null) },
  { keys: ['l'], does: 'scale: as it fits, linear, logarithmic', run: nextScale },
  { keys: ['[', ']'], does: 'smooth less, more' },
  { keys: ['t'], does: 'theme: system, light, dark', run: () => byId('theme').click() },
  { keys: ['?'], does: 'show or hide this list', run: toggleHelp },
];

function nextChart() {
  const places = [...document.querySelectorAll('#charts .plot')];
  const at = places.indexOf(document.activeElement);
  const place = places[(at + 1) % places.length];
  place?.focus();
  place?.scrollIntoView({ block: 'nearest' });
}

function nextScale() {
  const scales = ['auto', 'linear', 'log'];
  state.scale = scales[(scales.indexOf(state.scale) + 1) % scales.length];
  emit('view');
}

function smooth(by) {
  const slider = byId('smooth');
  slider.value = String(Number(slider.value) + by);
  slider.dispatchEvent(new Event('input'));
}

function toggleHelp() {
  if (help.open) help.close();
  else help.showModal();
}

function drawHelp() {
  const rows = keys.map(({ keys: names, does }) =>
    element(
      'tr',
      {},
      element('td', {}, ...names.flatMap((name, i) => [...(i > 0 ? [' '] : []), element('kbd', {}, name)])),
      element('td', {}, does),
    ),
  );
  const close = element('button', { type: 'button', autofocus: true }, 'Close');
  close.addEventListener('click', () => help.close());
  help.append(element('h2', {}, 'Keys'), element('table', {}, element('tbody', {}, ...rows)), close);
}

export function startKeys() {
  drawHelp();
  byId('help-button').addEventListener('click', toggleHelp);
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    if (event.key === 'Escape' && target === byId('filter')) {
      // The browser empties a search field at Escape; a second one leaves it.
      if (target.value === '') target.blur();
      return;
    }
    if (target.matches('input:not([type="range"]), select')) return;
    if (help.open && event.key !== '?') return;
    if (event.key === '[') smooth(-1);
    else if (event.key === ']') smooth(1);
    else {
      const found = keys.find(({ keys: names, run }) => run !== undefined && names.includes(event.key));
      if (found === undefined) return;
      found.run();
    }
    event.preventDefault();
  });
}
