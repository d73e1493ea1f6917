// The dashboard: listens to the server and keeps list, charts and table up to date.
import { ChartCard, zoomTo } from './chart.js';
import { byId } from './dom.js';
import { startKeys } from './keys.js';
import { startList } from './run_list.js';
import { emit, on, receive, shownRuns, state } from './state.js';
import { startTable } from './table.js';

const holder = byId('charts');
/** By the chart's id. */
const cards = new Map();
/** Cards that are to be asked for and drawn, one a frame so that the page never stands still for long. */
const queue = new Set();

function enqueue(card) {
  card.stale = true;
  if (!card.visible) return;
  queue.add(card);
  if (queue.size === 1) requestAnimationFrame(work);
}

function work() {
  const [card] = queue;
  if (card === undefined) return;
  queue.delete(card);
  card.refresh();
  if (queue.size > 0) requestAnimationFrame(work);
}

const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const card = cards.get(target.dataset.chart);
      if (card === undefined) continue;
      card.visible = isIntersecting;
      if (isIntersecting && card.stale) enqueue(card);
    }
  },
  { rootMargin: '200px' },
);

function drawAll() {
  for (const card of cards.values()) enqueue(card);
}

/** Cards for the charts there are, in their order. */
function arrange() {
  const ids = new Set(state.charts.map(({ id }) => id));
  for (const [id, card] of cards) {
    if (ids.has(id)) continue;
    seen.unobserve(card.element);
    card.remove();
    cards.delete(id);
  }
  state.charts.forEach((chart, index) => {
    const known = cards.get(chart.id);
    if (known !== undefined) {
      known.update(chart);
      if (known.stale) enqueue(known);
    } else {
      const card = new ChartCard(chart);
      cards.set(chart.id, card);
    }
    const { element } = cards.get(chart.id);
    if (holder.children[index] !== element) holder.insertBefore(element, holder.children[index] ?? null);
    if (known === undefined) seen.observe(element);
  });
}

function explain() {
  const empty = byId('empty');
  empty.hidden = state.runs.size > 0;
  empty.textContent = `There is no run in ${state.folder} yet. A run with report.record({ dir: '…' }) among its callbacks appears here once it has begun.`;
  document.title = `${shownRuns().length} of ${state.runs.size} runs · anneal`;
}

function listenToServer() {
  const source = new EventSource('/api/events');
  source.addEventListener('runs', ({ data }) => receive(JSON.parse(data)));
  source.addEventListener('open', () => {
    byId('lost').hidden = true;
  });
  source.addEventListener('error', () => {
    byId('lost').hidden = false;
  });
}

function startToolbar() {
  const slider = byId('smooth');
  const show = () => {
    byId('smooth-steps').textContent = state.smooth > 1 ? `${state.smooth} steps` : 'none';
  };
  slider.value = String(Math.round(10 * Math.log10(state.smooth)));
  slider.addEventListener('input', () => {
    state.smooth = Math.round(10 ** (Number(slider.value) / 10));
    show();
    emit('view');
  });
  show();
  byId('scale').addEventListener('change', ({ target }) => {
    state.scale = target.value;
    emit('view');
  });
  byId('reset').addEventListener('click', () => zoomTo(null));
}

on('runs', (ids) => {
  arrange();
  explain();
  const shown = shownRuns();
  if (shown.some(({ id }) => ids.has(id))) drawAll();
});
on('selection', () => {
  explain();
  drawAll();
});
on('view', () => {
  byId('scale').value = state.scale;
  byId('reset').disabled = state.range === null;
  drawAll();
});
on('theme', drawAll);

document.addEventListener('themechange', () => emit('theme'));
new ResizeObserver(() => {
  for (const card of cards.values()) card.resize();
}).observe(holder);

startToolbar();
startList();
startTable();
startKeys();
listenToServer();
