/**
 * The HTML report of a run: one file that needs no network. Its scripts and styles are assets/page/ and assets/report/, the
 * charts are uPlot's.
 */
import { escapeXml } from '../chart/svg.js';
import { writeFileAtomic } from '../io/atomic.js';
import { type Chart, chartsOf } from './charts.js';
import { smoothed, thinned } from './downsample.js';
import { epochTable } from './epoch_table.js';
import { duration, integer, metricValue, significant } from './format.js';
import { type Guides, guidesOf } from './guides.js';
import { asset, facts, factsOf, flatten, renderPage, uplotFile } from './page.js';
import type { RunReport } from './run.js';
import { type Series, seriesOf } from './series.js';

/** Digits kept of each number: f32 has no more. */
const digits = 7;
/** Points of a curve, beyond which it is drawn by its least and greatest values: more than a chart has pixels. */
const mostPoints = 4000;
/** Values from which on a noisy curve is smoothed, and the share of the run that is averaged over. */
const leastSmoothed = 200;
const averagedShare = 0.01;

/**
 * The report as one HTML document: every metric, learning rate, update-to-weight ratio by layer, gradient norm, samples/s and
 * memory as charts, a table of epochs, warnings, the configuration and the machine.
 * @throws AnnealError E_IO when an inlined file cannot be read.
 */
export function renderHtmlReport(report: RunReport): Promise<string> {
  const { config, optimizer, callbacks = [], model, machine } = report;
  const settings = callbacks.flatMap(({ name, settings }) => flatten(settings, `${name}.`));
  const cards = [
    ...(Object.keys(config).length > 0 ? [facts('Configuration', config)] : []),
    ...(optimizer === undefined ? [] : [facts('Optimizer', optimizer)]),
    ...(callbacks.length > 0 ? [factsOf('Callbacks', settings)] : []),
    ...(model === undefined ? [] : [facts('Model', model)]),
    ...(machine === undefined ? [] : [facts('Machine', machine)]),
  ];
  return renderPage({
    title: report.title,
    body: `${tiles(report)}
${failure(report)}
<div id="charts"></div>
${epochs(report)}
${warnings(report)}
<div class="pair">
${cards.join('\n')}
</div>`,
    data: chartData(report),
    styles: [uplotFile('uPlot.min.css'), asset('page/page.css'), asset('report/report.css')],
    scripts: [uplotFile('uPlot.iife.min.js'), asset('page/theme.js'), asset('page/plot.js'), asset('report/report.js')],
  });
}

/** Writes the report atomically. @throws AnnealError E_IO. */
export async function writeHtmlReport(path: string, report: RunReport): Promise<void> {
  await writeFileAtomic(path, [await renderHtmlReport(report)]);
}

interface Points {
  readonly x: readonly number[];
  /** null where there is no finite number. */
  readonly y: readonly (number | null)[];
}

/** The charts, their dashed lines, and their curves by name: noisy ones that are long also smoothed. */
function chartData(report: RunReport): {
  charts: Chart[];
  guides: Guides;
  series: Record<string, Points & { smooth?: Points }>;
} {
  const { byName } = seriesOf(report);
  const charts = chartsOf(byName.keys());
  const noisy = new Set(charts.flatMap(({ lines }) => lines.filter((line) => line.noisy).map(({ series }) => series)));
  const series = [...byName].map(([name, curve]) => {
    const smooths = noisy.has(name) && curve.step.length >= leastSmoothed;
    const span = (curve.step.at(-1) ?? 0) - (curve.step[0] ?? 0);
    const smooth = smooths ? { smooth: pointsOf(smoothed(curve, Math.max(0, 1 - 1 / (averagedShare * span)))) } : {};
    return [name, { ...pointsOf(curve), ...smooth }] as const;
  });
  return { charts, guides: guidesOf(report), series: Object.fromEntries(series) };
}

function pointsOf(series: Series): Points {
  const { x, y } = thinned(series, mostPoints);
  return { x, y: y.map(finite) };
}

function finite(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? Number(value.toPrecision(digits)) : null;
}

function tiles(report: RunReport): string {
  const { steps, stop, warnings = [] } = report;
  const last = report.epochs.at(-1);
  const list: [string, string, string][] = [];
  const best = (title: string, name: string): void => {
    const found = report.epochs
      .map(({ epoch, metrics }) => ({ epoch, value: metrics[name] ?? Number.NaN }))
      .filter(({ value }) => Number.isFinite(value))
      .sort((a, b) => b.value - a.value)[0];
    if (found !== undefined) list.push([title, metricValue(name, found.value), `epoch ${found.epoch}`]);
  };
  best('Best val. accuracy', 'val_accuracy');
  best('Best EMA accuracy', 'ema_val_accuracy');
  if (last !== undefined) {
    const { val_loss: validation, loss } = last.metrics;
    if (validation !== undefined)
      list.push(['Last val. loss', significant(validation), `training ${significant(loss ?? Number.NaN)}`]);
    const seconds = report.epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
    const count = report.epochs.length;
    list.push(['Time', duration(seconds), `${count} epoch${count === 1 ? '' : 's'}`]);
    const rates = report.epochs.map(({ samplesPerSecond }) => samplesPerSecond).sort((a, b) => a - b);
    list.push(['Samples/s', integer(rates[Math.floor(count / 2)] ?? Number.NaN), 'median epoch']);
  }
  const lastStep = steps.at(-1);
  if (lastStep !== undefined) {
    const { loss } = lastStep.metrics;
    list.push(['Steps', integer(lastStep.step), loss === undefined ? '' : `last loss ${significant(loss)}`]);
  }
  const count = warnings.length;
  const noted = count === 0 ? '' : `${count} warning${count === 1 ? '' : 's'}`;
  list.push(['Ended', stop?.reason ?? 'not yet', noted]);
  const items = list.map(
    ([name, value, note]) =>
      `<div class="tile"><span>${escapeXml(name)}</span><strong>${escapeXml(value)}</strong><small>${escapeXml(note)}</small></div>`,
  );
  return `<section class="tiles">${items.join('\n')}</section>`;
}

function epochs(report: RunReport): string {
  const { names, rows, best } = epochTable(report.epochs);
  if (rows.length === 0) return '';
  const head = names.map((name) => `<th>${escapeXml(name)}</th>`).join('');
  const body = rows.map((cells, index) => {
    const mark = index === best ? ' class="best"' : '';
    return `<tr${mark}>${cells.map((cell) => `<td>${escapeXml(cell)}</td>`).join('')}</tr>`;
  });
  return `<section class="card"><h2>Epochs</h2>
<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>
${body.join('\n')}
</tbody></table></div></section>`;
}

function failure({ stop }: RunReport): string {
  if (stop?.error === undefined) return '';
  return `<section class="card failed"><h2>The run failed</h2><p>${escapeXml(stop.error)}</p></section>`;
}

/** The most warnings that are listed. */
const shownWarnings = 100;

function warnings({ warnings = [] }: RunReport): string {
  if (warnings.length === 0) return '';
  const items = warnings
    .slice(0, shownWarnings)
    .map(({ step, message }) => `<dt>step ${integer(step)}</dt><dd>${escapeXml(message)}</dd>`);
  const more = warnings.length - shownWarnings;
  if (more > 0) items.push(`<dt></dt><dd>and ${integer(more)} more in metrics.jsonl</dd>`);
  return `<section class="card"><h2>Warnings</h2><dl>${items.join('\n')}</dl></section>`;
}
