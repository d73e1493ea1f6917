// The list of runs: a listbox with one stop for the Tab key, in which arrows move and Space selects.
import { byId, element, painted } from './dom.js';
import { colorOf, emit, filteredRuns, nameOf, on, state } from './state.js';

const list = byId('runs');
const { formats, whole } = window.plots;
/** The id of the run that the Tab key reaches. */
let current = null;

const states = { running: 'running', silent: 'no news', broken: 'broken' };

function noteOf({ state: how, reason, steps, metrics, warnings }) {
  const value = metrics.ema_val_accuracy ?? metrics.val_accuracy ?? metrics.accuracy;
  const loss = metrics.val_loss ?? metrics.loss;
  const parts = [
    states[how] ?? reason,
    `step ${whole(steps)}`,
    value != null ? formats.percent.value(value) : loss != null ? `loss ${formats.number.value(loss)}` : '',
    warnings > 0 ? `${warnings} warning${warnings === 1 ? '' : 's'}` : '',
  ];
  return parts.filter(Boolean).join(' · ');
}

/** Rows by id. They stay what they are, so that the second click of a double click finds the first one's. */
const rows = new Map();

function rowOf({ id }) {
  let row = rows.get(id);
  if (row === undefined) {
    row = element(
      'li',
      { class: 'run', role: 'option', id: `run-${id}` },
      element('span', { class: 'swatch' }),
      element('span', { class: 'name' }),
      element('span', { class: 'dot' }),
      element('span', { class: 'note' }),
      element('span', { class: 'error' }),
    );
    row.dataset.run = id;
    rows.set(id, row);
  }
  return row;
}

function fill(row, run) {
  const name = nameOf(run);
  const [, title, dot, note, error] = row.children;
  row.setAttribute('aria-selected', String(state.selected.has(run.id)));
  row.setAttribute('tabindex', run.id === current ? '0' : '-1');
  row.title = [name, run.id === name ? '' : run.id, noteOf(run), run.error].filter(Boolean).join('\n');
  title.textContent = name;
  dot.className = `dot ${run.state}`;
  note.textContent = noteOf(run);
  error.textContent = run.error;
  painted(row, colorOf(run.id));
}

export function drawList() {
  const runs = filteredRuns();
  if (!runs.some(({ id }) => id === current)) current = runs[0]?.id ?? null;
  const wanted = runs.map(rowOf);
  const focused = list.contains(document.activeElement);
  if (wanted.length !== list.children.length || wanted.some((row, i) => row !== list.children[i])) {
    const { scrollTop } = list;
    list.replaceChildren(...wanted);
    list.scrollTop = scrollTop;
    for (const id of rows.keys()) if (!state.runs.has(id)) rows.delete(id);
  }
  wanted.forEach((row, i) => {
    fill(row, runs[i]);
  });
  if (focused && !list.contains(document.activeElement)) rowAt(current)?.focus({ preventScroll: true });
  const shown = runs.filter(({ id }) => state.selected.has(id)).length;
  byId('count').textContent = `${shown} of ${runs.length} shown`;
  byId('folder').textContent = `\u200e${state.folder}`;
  byId('folder').title = state.folder;
}

const rowAt = (id) => rows.get(id);

function focusRun(id) {
  rowAt(current)?.setAttribute('tabindex', '-1');
  current = id;
  const row = rowAt(id);
  row?.setAttribute('tabindex', '0');
  row?.focus();
}

function toggle(id) {
  if (!state.selected.delete(id)) state.selected.add(id);
  emit('selection');
}

function only(id) {
  state.selected = new Set([id]);
  emit('selection');
}

/** Selects all runs that the filter lets through, or none of them. */
export function selectAll(selected) {
  for (const { id } of filteredRuns()) {
    if (selected) state.selected.add(id);
    else state.selected.delete(id);
  }
  emit('selection');
}

export function startList() {
  list.addEventListener('click', (event) => {
    const id = event.target.closest('.run')?.dataset.run;
    if (id === undefined) return;
    focusRun(id);
    if (event.shiftKey || event.altKey) only(id);
    else toggle(id);
  });
  list.addEventListener('dblclick', (event) => {
    const id = event.target.closest('.run')?.dataset.run;
    if (id !== undefined) only(id);
  });
  list.addEventListener('keydown', (event) => {
    const ids = [...list.children].map(({ dataset }) => dataset.run);
    const at = ids.indexOf(current);
    const target = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: 0,
      End: ids.length - 1,
      PageDown: at + 10,
      PageUp: at - 10,
    };
    if (event.key in target) focusRun(ids[Math.max(0, Math.min(ids.length - 1, target[event.key]))]);
    else if (event.key === ' ') toggle(current);
    else if (event.key === 'Enter') only(current);
    else return;
    event.preventDefault();
  });
  byId('filter').addEventListener('input', ({ target }) => {
    state.filter = target.value;
    emit('selection');
  });
  byId('filter').addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowDown' && event.key !== 'Enter') return;
    event.preventDefault();
    if (current !== null) focusRun(current);
  });
  byId('all').addEventListener('click', () => selectAll(true));
  byId('none').addEventListener('click', () => selectAll(false));
  on('runs', drawList);
  on('selection', drawList);
  on('theme', drawList);
}
