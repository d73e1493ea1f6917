// A chart in a card: asks the server for the curves it shows, draws them with uPlot, follows the pointer.

import { dashes, hideTip, legendOf, showTip } from './chart_parts.js';
import { element, painted } from './dom.js';
import { colorOf, emit, nameOf, shownRuns, state } from './state.js';

const { uPlot, plots } = window;
/** Points of a curve: two a bucket; more than the chart has pixels would not be seen. */
const buckets = 300;
/** Curves up to which the one next to the pointer stands out, and raw values lie below smoothed ones. */
const fewCurves = 12;
/** Of a plot below a row of chips, and of one without. */
const heights = { chips: 240, alone: 272 };

export class ChartCard {
  constructor(chart) {
    this.chart = chart;
    this.visible = false;
    this.stale = true;
    this.plot = null;
    this.curves = [];
    /** Names of curves that were switched on or off by hand. */
    this.switched = new Map();
    this.request = null;
    this.note = element('span', { class: 'note', title: chart.note }, chart.note);
    this.chips = element('div', { class: 'chips', role: 'group', 'aria-label': 'Curves' });
    this.chipRow = element('div', { class: 'chip-row' }, this.chips);
    this.waiting = element('span', { class: 'waiting' });
    this.place = element('div', { class: 'plot', tabindex: '0', role: 'group', 'aria-label': `Chart: ${chart.title}` });
    this.place.append(this.waiting);
    const head = element('div', { class: 'head' }, element('h2', {}, chart.title), this.note);
    this.element = element(
      'section',
      { class: chart.wide ? 'card wide' : 'card', 'data-chart': chart.id },
      head,
      this.chipRow,
    );
    this.element.append(this.place);
    this.chips.addEventListener('click', ({ target }) => this.press(target.closest('.chip')?.dataset.series));
    this.place.addEventListener('keydown', (event) => this.key(event));
    this.place.addEventListener('blur', () => hideTip(this.place));
  }

  /** The same chart with other curves, as a run brought them. */
  update(chart) {
    const before = JSON.stringify(this.chart.lines);
    this.chart = chart;
    if (JSON.stringify(chart.lines) !== before) this.stale = true;
  }

  isOn({ series, hidden }, index, several) {
    const byHand = this.switched.get(series);
    if (byHand !== undefined) return byHand;
    // Many layers of many runs are a thicket: one is shown until more are asked for.
    if (several && this.chart.lines.length > 4) return index === this.chart.lines.findIndex((line) => !line.hidden);
    return hidden !== true;
  }

  linesOn() {
    const several = shownRuns().length > 1;
    return this.chart.lines.filter((line, index) => this.isOn(line, index, several));
  }

  press(series) {
    if (series === undefined) return;
    const on = this.linesOn().some((line) => line.series === series);
    this.switched.set(series, !on);
    this.refresh();
  }

  height() {
    return this.chart.lines.length > 1 ? heights.chips : heights.alone;
  }

  drawChips() {
    const { lines } = this.chart;
    const several = shownRuns().length > 1;
    const on = this.linesOn();
    const focus = this.chips.contains(document.activeElement) ? document.activeElement.dataset.series : null;
    const chips = lines.map((line, index) => {
      const paint = several ? '' : plots.color(`c${line.color}`);
      const attributes = { class: 'chip', type: 'button', 'data-series': line.series };
      const pressed = String(on.includes(line));
      return painted(
        element('button', { ...attributes, 'aria-pressed': pressed }, legendOf(several ? index : 0), line.label),
        paint,
      );
    });
    this.chipRow.hidden = lines.length < 2;
    this.place.classList.toggle('alone', lines.length < 2);
    this.chips.replaceChildren(...(lines.length > 1 ? chips : []));
    if (focus) this.chips.querySelector(`[data-series="${CSS.escape(focus)}"]`)?.focus();
    this.fitChips();
  }

  /** Chips that have no room in their row come out when the pointer or the focus is in it. */
  fitChips() {
    this.chips.classList.toggle('cut', this.chips.scrollWidth > this.chipRow.clientWidth);
  }

  /** Asks for the curves anew and draws them, now or once the card is seen. */
  async refresh() {
    this.stale = true;
    if (!this.visible) return;
    this.stale = false;
    this.request?.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    const lines = this.linesOn();
    const runs = shownRuns();
    this.drawChips();
    const query = new URLSearchParams({ buckets });
    for (const { id } of runs) query.append('run', id);
    for (const { series, noisy } of lines) query.append(noisy ? 'noisy' : 'name', series);
    if (state.smooth > 1) query.set('smooth', String(1 - 1 / state.smooth));
    if (state.range !== null) {
      query.set('from', state.range[0]);
      query.set('to', state.range[1]);
    }
    try {
      const response = await fetch(`/api/curves?${query}`, { signal });
      // A run that is gone: the list says so soon, and everything is asked for again.
      if (!response.ok) return;
      const answer = await response.json();
      if (!signal.aborted) this.draw(answer);
    } catch (error) {
      if (error.name !== 'AbortError') this.stale = true;
    }
  }

  /** The curves as uPlot's series, each with its data. */
  drawn({ curves }) {
    const several = shownRuns().length > 1;
    const { lines } = this.chart;
    const few = curves.length <= fewCurves;
    return curves.flatMap(({ run, name, raw, smooth }) => {
      const index = lines.findIndex(({ series }) => series === name);
      const line = lines[index];
      const summary = state.runs.get(run);
      if (line === undefined || summary === undefined) return [];
      const paint = several ? colorOf(run) : plots.color(`c${line.color}`);
      const dash = several ? dashes[index % dashes.length] : [];
      const label = several ? (lines.length > 1 ? `${nameOf(summary)}, ${line.label}` : nameOf(summary)) : line.label;
      const common = { run, label, paint, dash, points: line.points === true && few };
      if (smooth === undefined) return [{ ...common, data: raw }];
      return [...(few ? [{ ...common, data: raw, faint: true }] : []), { ...common, data: smooth }];
    });
  }

  draw(answer) {
    const curves = this.drawn(answer);
    const log = this.isLog();
    const table = tableOf(answer.grid, curves, log);
    const columns = table.slice(1);
    curves.forEach((curve, i) => {
      curve.single = plots.isPoint(columns[i]);
    });
    this.floor = plots.floorOf(this.chart, columns);
    this.curves = curves;
    const guides = guidesOf(this.chart, curves);
    const empty = columns.every((column) => column.every((value) => value === null));
    this.waiting.textContent = empty ? (shownRuns().length === 0 ? 'no run is selected' : 'no values') : '';
    const theme = document.documentElement.className;
    const form = JSON.stringify([log, theme, guides, curves.map(({ data, ...style }) => style)]);
    if (this.plot !== null && form === this.form) {
      this.plot.setData(table);
      return;
    }
    this.form = form;
    const { left, top } = this.plot?.cursor ?? { left: -1 };
    this.plot?.destroy();
    hideTip(this.place);
    this.plot = new uPlot(this.options(curves, guides, log), table, this.place);
    // Whoever was looking at a step still is.
    if (left >= 0) this.plot.setCursor({ left, top });
  }

  isLog() {
    if (state.scale !== 'auto') return state.scale === 'log';
    return this.chart.log === true;
  }

  options(curves, guides, log) {
    const { chart } = this;
    const shape = { ...chart, log };
    const few = curves.length <= fewCurves;
    return {
      width: this.place.clientWidth,
      height: this.height(),
      padding: [8, 20, 0, 0],
      legend: { show: false },
      scales: {
        x: {
          time: false,
          range: () => state.range ?? plots.stepsRange(...allSteps()),
        },
        y: plots.yScale(shape, guides, () => this.floor),
      },
      axes: plots.axes(shape),
      series: [
        {},
        ...curves.map(({ paint, dash, faint, points, single }) => ({
          stroke: paint,
          alpha: faint ? 0.28 : 1,
          width: faint ? 1 : few ? 1.6 : 1.2,
          dash,
          spanGaps: true,
          points: { show: points || single, size: 6, fill: plots.color('card') },
        })),
      ],
      cursor: {
        sync: { key: 'step' },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => zoomTo(null) },
        dataIdx: plots.nearest,
        points: { show: few },
        y: false,
      },
      hooks: {
        draw: [(plot) => plots.drawGuides(plot, guides, plots.formats[chart.format].tick)],
        setCursor: [(plot) => this.follow(plot)],
        setSelect: [
          (plot) => {
            const { left, width } = plot.select;
            if (width > 4) zoomTo([plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')]);
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          },
        ],
      },
    };
  }

  /** The values at the cursor, in the chart that the pointer or the focus is in. */
  follow(plot) {
    const here = this.place.matches(':hover') || document.activeElement === this.place;
    if (!here || plot.cursor.left < 0 || plot.cursor.idx == null) hideTip(this.place);
    else showTip(this.place, plot, this.curves, plots.formats[this.chart.format].value);
  }

  /** Arrows move the cursor, + and - zoom around it. */
  key(event) {
    const { plot } = this;
    if (plot === null) return;
    const width = plot.over.clientWidth;
    const at = plot.cursor.left >= 0 ? plot.cursor.left : width / 2;
    const move = { ArrowLeft: -width / 60, ArrowRight: width / 60, Home: -width, End: width }[event.key];
    if (move !== undefined) {
      const left = Math.max(0, Math.min(width - 1, at + move));
      plot.setCursor({ left, top: plot.over.clientHeight / 2 });
    } else if (event.key === '+' || event.key === '-') {
      const { min, max } = plot.scales.x;
      const center = plot.posToVal(at, 'x');
      const factor = event.key === '+' ? 0.5 : 2;
      zoomTo([center + (min - center) * factor, center + (max - center) * factor]);
    } else return;
    event.preventDefault();
  }

  resize() {
    this.fitChips();
    if (this.plot !== null && this.place.clientWidth !== this.plot.width) {
      this.plot.setSize({ width: this.place.clientWidth, height: this.height() });
    }
  }

  remove() {
    this.request?.abort();
    this.plot?.destroy();
    this.element.remove();
  }
}

/** The first and the last step of the runs that are shown. */
function allSteps() {
  const runs = shownRuns().filter(({ steps }) => steps > 0);
  return [Math.min(...runs.map(({ from }) => from)), Math.max(...runs.map(({ steps }) => steps))];
}

/** The dashed lines of a chart, from the highest down: one that only one of several runs has is in its colour. */
function guidesOf({ id }, curves) {
  const drawn = new Set(curves.map(({ run }) => run));
  const byValue = new Map();
  for (const run of drawn) {
    for (const value of state.runs.get(run)?.guides[id] ?? []) byValue.set(value, [...(byValue.get(value) ?? []), run]);
  }
  return [...byValue]
    .sort(([a], [b]) => b - a)
    .map(([value, runs]) => ({ value, paint: drawn.size > 1 && runs.length === 1 ? colorOf(runs[0]) : undefined }));
}

/** All charts show the same steps; null: all there are. */
export function zoomTo(range) {
  if (range === null && state.range === null) return;
  state.range = range === null || range[1] - range[0] < 1e-9 ? null : range;
  emit('view');
}

/** One table of all curves: at the steps of the grid, and those that short curves have of their own. */
function tableOf({ from, to, buckets }, curves, log) {
  const width = (to - from) / (2 * buckets);
  const dense = curves.some(({ data }) => Array.isArray(data));
  const steps = new Set(dense ? Array.from({ length: 2 * buckets }, (_, i) => from + (i + 0.5) * width) : []);
  for (const { data } of curves) if (!Array.isArray(data)) for (const step of data.x) steps.add(step);
  const x = Float64Array.from(steps).sort();
  const places = new Map();
  for (let i = 0; i < x.length; i += 1) places.set(x[i], i);
  const columns = curves.map(({ data }) => {
    const column = new Array(x.length).fill(null);
    const values = Array.isArray(data) ? data : data.y;
    values.forEach((value, i) => {
      if (value === null || (log && value <= 0)) return;
      column[places.get(Array.isArray(data) ? from + (i + 0.5) * width : data.x[i])] = value;
    });
    return column;
  });
  return [Array.from(x), ...columns];
}
