// The runs side by side: what they reached, and the settings in which they differ.
import { byId, element, painted } from './dom.js';
import { colorOf, nameOf, on, shownRuns, state } from './state.js';

const holder = byId('table');
const { formats, whole } = window.plots;
const sort = { by: null, down: true };

function formatOf(name) {
  if (/accuracy$/.test(name)) return formats.percent.value;
  return name === 'step' || /per_second$/.test(name) ? whole : formats.number.value;
}

/** Columns that any run has a value for: { name, label, of(run) }. */
function columnsOf(runs) {
  const metric = (name, label = name.replaceAll('_', ' ')) => ({ name, label, of: (run) => run.metrics[name] ?? null });
  const metrics = [
    { name: 'step', label: 'step', of: (run) => run.steps },
    metric('loss'),
    metric('best_val_loss'),
    metric('best_val_accuracy'),
    metric('best_ema_val_accuracy'),
    metric('epoch_samples_per_second', 'samples/s'),
  ].filter(({ of }) => runs.some((run) => of(run) !== null));
  const keys = [...new Set(runs.flatMap(({ config }) => Object.keys(config)))];
  const differing = keys.filter((key) => new Set(runs.map(({ config }) => config[key])).size > 1);
  const settings = differing.map((key) => ({
    name: key,
    label: key,
    setting: true,
    of: (run) => run.config[key] ?? null,
  }));
  return [...metrics, ...settings];
}

function compare(a, b) {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  const numbers = [Number(a), Number(b)];
  const order = numbers.some(Number.isNaN) ? String(a).localeCompare(String(b)) : numbers[0] - numbers[1];
  return sort.down ? -order : order;
}

export function drawTable() {
  const runs = shownRuns();
  holder.hidden = runs.length === 0;
  if (holder.hidden) return;
  const columns = columnsOf(runs);
  const sorted = columns.find(({ name }) => name === sort.by);
  if (sorted) runs.sort((a, b) => compare(sorted.of(a), sorted.of(b)));
  const head = columns.map(({ name, label }) => {
    const order = name === sort.by ? (sort.down ? 'descending' : 'ascending') : undefined;
    const mark = order === undefined ? '' : sort.down ? ' ↓' : ' ↑';
    const button = element('button', { type: 'button', 'data-sort': name }, label + mark);
    return element('th', { 'aria-sort': order }, button);
  });
  const rows = runs.map((run) => {
    const swatch = painted(element('span', { class: 'swatch' }), colorOf(run.id));
    const cells = columns.map(({ name, setting, of }) => {
      const value = of(run);
      return element('td', {}, value === null ? '–' : setting ? String(value) : formatOf(name)(value));
    });
    return element('tr', {}, element('td', {}, swatch, nameOf(run)), ...cells);
  });
  const focus = holder.contains(document.activeElement) ? document.activeElement.dataset.sort : null;
  holder.replaceChildren(
    element('h2', {}, 'Side by side'),
    element(
      'div',
      { class: 'scroll' },
      element(
        'table',
        {},
        element('thead', {}, element('tr', {}, element('th', {}, 'run'), ...head)),
        element('tbody', {}, ...rows),
      ),
    ),
  );
  if (focus) holder.querySelector(`[data-sort="${CSS.escape(focus)}"]`)?.focus();
}

export function startTable() {
  holder.addEventListener('click', ({ target }) => {
    const name = target.closest('button')?.dataset.sort;
    if (name === undefined) return;
    sort.down = sort.by === name ? !sort.down : true;
    sort.by = name;
    drawTable();
  });
  on('runs', (ids) => {
    if ([...ids].some((id) => state.selected.has(id))) drawTable();
  });
  on('selection', drawTable);
  on('theme', drawTable);
}
