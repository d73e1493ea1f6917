// What the page knows and shows. Whoever changes it says so by `emit`; whoever draws it listens by `on`.
export const state = {
  folder: '',
  /** Summaries by id. */
  runs: new Map(),
  /** The charts that any run has curves for. */
  charts: [],
  /** Ids of the runs that are drawn. */
  selected: new Set(),
  filter: '',
  /** Steps that are averaged over; 1 for none. */
  smooth: 32,
  /** 'auto', 'linear' or 'log'. */
  scale: 'auto',
  /** The steps that are shown; null for all. */
  range: null,
};

/** Runs that are selected at first, the newest ones. */
const selectedAtFirst = 8;
const events = new EventTarget();

/** 'runs': the list has news, `detail` is the set of ids with new values. 'selection', 'view': what is drawn has changed. */
export function emit(name, detail = null) {
  events.dispatchEvent(new CustomEvent(name, { detail }));
}

export function on(name, listener) {
  events.addEventListener(name, (event) => listener(event.detail));
}

/** The runs that the filter lets through, the newest first. */
export function filteredRuns() {
  const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
  return [...state.runs.values()]
    .filter((run) => words.every((word) => textOf(run).includes(word)))
    .sort((a, b) => b.started - a.started || (a.id < b.id ? -1 : 1));
}

/** The runs that are drawn: selected, and let through by the filter. */
export function shownRuns() {
  return filteredRuns().filter(({ id }) => state.selected.has(id));
}

const texts = new WeakMap();
function textOf(run) {
  let text = texts.get(run);
  if (text === undefined) {
    const settings = Object.entries(run.config).map(([name, value]) => `${name}=${value}`);
    text = [run.id, run.title, run.state, run.reason, run.error, ...settings].join(' ').toLowerCase();
    texts.set(run, text);
  }
  return text;
}

/** Titles tell runs apart only where they differ. */
export function nameOf(run) {
  const same = [...state.runs.values()].filter(({ title }) => title === run.title).length;
  if (same === 1) return run.title;
  return run.id === '.' ? run.title : run.id;
}

const colors = new Map();

/** A run's colour: one of the page's, then ever further round the circle. It stays as long as the page is open. */
export function colorOf(id) {
  if (!colors.has(id)) colors.set(id, colors.size);
  const place = colors.get(id);
  const palette = 8;
  if (place < palette) return window.plots.color(`c${place + 1}`);
  const dark = document.documentElement.classList.contains('dark');
  return `hsl(${Math.round(place * 137.508) % 360} 62% ${dark ? 68 : 44}%)`;
}

/** Takes in news of the server. */
export function receive({ folder, all, runs, removed, charts }) {
  const first = state.runs.size === 0;
  state.folder = folder;
  state.charts = charts;
  if (all) {
    const ids = new Set(runs.map(({ id }) => id));
    for (const id of state.runs.keys()) if (!ids.has(id)) state.runs.delete(id);
  }
  for (const id of removed) state.runs.delete(id);
  for (const id of [...state.selected]) if (!state.runs.has(id)) state.selected.delete(id);
  const newest = [...runs].sort((a, b) => b.started - a.started);
  const joining = newest.filter(({ id }) => !state.runs.has(id));
  for (const { id } of newest) colorOf(id);
  // A run that begins while the page is open is what one wants to see.
  for (const { id } of first ? joining.slice(0, selectedAtFirst) : joining) state.selected.add(id);
  for (const run of runs) state.runs.set(run.id, run);
  emit('runs', new Set(runs.map(({ id }) => id)));
  if (removed.length > 0) emit('selection');
}
