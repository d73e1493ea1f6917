/**
 * The HTML report of a run: one file that needs no network. The page's own script and style are assets/report/, the
 * charts are uPlot's.
 */
import { writeFileAtomic } from '../io/atomic.js';
import { duration, integer, percent, significant } from './format.js';
import { asset, escapeHtml, facts, renderPage, uplotFile } from './page.js';
import type { EpochRecord, RunReport } from './run_report.js';

/** Digits kept of each number: f32 has no more. */
const digits = 7;

/**
 * The report as one HTML document: loss, accuracy (raw and EMA), learning rate, update-to-weight ratio by layer,
 * images/s, a table of epochs, the configuration and the machine.
 * @throws AnnealError E_IO when an inlined file cannot be read.
 */
export function renderHtmlReport(report: RunReport): Promise<string> {
  return renderPage({
    title: report.title,
    body: `${tiles(report)}
<div id="charts"></div>
${epochTable(report.epochs)}
<div class="pair">
${facts('Configuration', report.config)}
${facts('Machine', report.machine)}
</div>`,
    data: columns(report),
    styles: [uplotFile('uPlot.min.css'), asset('report.css')],
    scripts: [uplotFile('uPlot.iife.min.js'), asset('theme.js'), asset('report.js')],
  });
}

/** Writes the report atomically. @throws AnnealError E_IO. */
export async function writeHtmlReport(path: string, report: RunReport): Promise<void> {
  await writeFileAtomic(path, [await renderHtmlReport(report)]);
}

/** The data of the charts by column, in the form that uPlot takes; null where there is no finite number. */
function columns({ steps, epochs, updateRatios }: RunReport): object {
  const lastStep = steps.at(-1)?.step ?? epochs.at(-1)?.step ?? epochs.length;
  const layers = [...new Set(updateRatios.flatMap(({ ratios }) => Object.keys(ratios)))];
  return {
    steps: {
      step: steps.map(({ step }) => step),
      loss: steps.map(({ loss }) => finite(loss)),
      accuracy: steps.map(({ accuracy }) => finite(accuracy)),
      lr: steps.map(({ lr }) => finite(lr)),
      imagesPerSecond: steps.map(({ imagesPerSecond }) => finite(imagesPerSecond)),
    },
    epochs: {
      step: epochs.map(({ step }, index) => step ?? Math.round((lastStep * (index + 1)) / epochs.length)),
      loss: epochs.map(({ loss }) => finite(loss)),
      accuracy: epochs.map(({ accuracy }) => finite(accuracy)),
      valLoss: epochs.map(({ valLoss }) => finite(valLoss)),
      valAccuracy: epochs.map(({ valAccuracy }) => finite(valAccuracy)),
      emaValAccuracy: epochs.map(({ emaValAccuracy }) => finite(emaValAccuracy)),
      lr: epochs.map(({ lr }) => finite(lr)),
      imagesPerSecond: epochs.map(({ imagesPerSecond }) => finite(imagesPerSecond)),
    },
    updateRatios: {
      step: updateRatios.map(({ step }) => step),
      layers: layers.map((name) => ({ name, ratio: updateRatios.map(({ ratios }) => finite(ratios[name])) })),
    },
  };
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? Number(value.toPrecision(digits)) : null;
}

function tiles({ steps, epochs }: RunReport): string {
  const last = epochs.at(-1);
  const list: [string, string, string][] = [];
  const best = (name: string, pick: (epoch: EpochRecord) => number | undefined): void => {
    const found = epochs.reduce<EpochRecord | undefined>((top, epoch) => {
      const value = pick(epoch) ?? Number.NaN;
      return value > (top === undefined ? -1 : (pick(top) ?? -1)) ? epoch : top;
    }, undefined);
    if (found !== undefined) list.push([name, percent(pick(found) ?? Number.NaN), `epoch ${found.epoch}`]);
  };
  best('Best validation accuracy', (epoch) => epoch.valAccuracy);
  best('Best EMA accuracy', (epoch) => epoch.emaValAccuracy);
  if (last !== undefined) {
    list.push(['Last validation loss', significant(last.valLoss), `training ${significant(last.loss)}`]);
    const seconds = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
    const count = epochs.length;
    list.push(['Time', duration(seconds), `${count} epoch${count === 1 ? '' : 's'}`]);
    const rates = epochs.map(({ imagesPerSecond }) => imagesPerSecond).sort((a, b) => a - b);
    list.push(['Images/s', integer(rates[Math.floor(count / 2)] ?? Number.NaN), 'median epoch']);
  }
  const lastStep = steps.at(-1);
  if (lastStep !== undefined) list.push(['Steps', integer(lastStep.step), `last loss ${significant(lastStep.loss)}`]);
  const items = list.map(
    ([name, value, note]) =>
      `<div class="tile"><span>${escapeHtml(name)}</span><strong>${escapeHtml(value)}</strong><small>${escapeHtml(note)}</small></div>`,
  );
  return `<section class="tiles">${items.join('\n')}</section>`;
}

function epochTable(epochs: readonly EpochRecord[]): string {
  if (epochs.length === 0) return '';
  const withEma = epochs.some(({ emaValAccuracy }) => emaValAccuracy !== undefined);
  const best = Math.max(...epochs.map(({ valAccuracy }) => (Number.isFinite(valAccuracy) ? valAccuracy : -1)));
  const names = ['Epoch', 'Loss', 'Accuracy', 'Val. loss', 'Val. accuracy', ...(withEma ? ['EMA val. accuracy'] : [])];
  const head = [...names, 'Learning rate', 'Time', 'Images/s'].map((name) => `<th>${name}</th>`).join('');
  const rows = epochs.map((epoch) => {
    const cells = [
      integer(epoch.epoch),
      significant(epoch.loss),
      percent(epoch.accuracy),
      significant(epoch.valLoss),
      percent(epoch.valAccuracy),
      ...(withEma ? [percent(epoch.emaValAccuracy ?? Number.NaN)] : []),
      significant(epoch.lr),
      duration(epoch.seconds),
      integer(epoch.imagesPerSecond),
    ];
    const mark = epoch.valAccuracy === best ? ' class="best"' : '';
    return `<tr${mark}>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  return `<section class="card"><h2>Epochs</h2>
<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>
${rows.join('\n')}
</tbody></table></div></section>`;
}
