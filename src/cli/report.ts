// `anneal report`: report.html of a run's folder, and the run as a table.
import { join, relative } from 'node:path';
import { epochTable } from '../report/epoch_table.js';
import { duration, integer, metricValue } from '../report/format.js';
import { type RunReport, readRun, writeHtmlReport } from '../report/index.js';
import { endOf } from '../report/log_event.js';
import { reportFile } from '../report/run.js';
import { tableHead, tableRow } from '../report/text_table.js';

/** The most epochs that are printed: the last ones. */
const shownEpochs = 20;

/** Writes the page and prints the table; gives the exit code. @throws AnnealError E_IO, E_FORMAT */
export async function reportRun(folder: string): Promise<number> {
  const run = await readRun(folder);
  const path = join(folder, reportFile);
  await writeHtmlReport(path, run);
  console.log(summary(run));
  console.log(`Report  ${relative(process.cwd(), path) || path}`);
  return 0;
}

export function summary(run: RunReport): string {
  const { title, steps, epochs, warnings = [], stop } = run;
  const last = Math.max(steps.at(-1)?.step ?? 0, epochs.at(-1)?.step ?? 0, stop?.step ?? 0);
  const seconds = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
  const facts = [
    counted(last, 'step'),
    counted(epochs.length, 'epoch'),
    ...(epochs.length > 0 ? [duration(seconds)] : []),
    stop === undefined ? 'has not ended' : `ended: ${endOf(stop)}`,
    ...(warnings.length > 0 ? [counted(warnings.length, 'warning')] : []),
  ];
  const lines = [title, facts.join(', ')];
  const { names, rows, best } = epochTable(epochs);
  if (rows.length > 0) {
    const from = Math.max(0, rows.length - shownEpochs);
    const shown = rows.map((cells, index) => ({ cells, index })).filter(({ index }) => index >= from || index === best);
    const widths = names.map((name, i) => Math.max(name.length, ...shown.map(({ cells }) => cells[i]?.length ?? 0)));
    lines.push('', tableHead(names, widths));
    lines.push(...shown.map(({ cells, index }) => `${tableRow(cells, widths)}${index === best ? '  best' : ''}`));
  } else if (steps.length > 0) {
    const metrics = Object.entries(steps.at(-1)?.metrics ?? {});
    lines.push(metrics.map(([name, value]) => `${name} ${metricValue(name, value)}`).join(', '));
  }
  return `${lines.join('\n')}\n`;
}

const counted = (count: number, what: string): string => `${integer(count)} ${what}${count === 1 ? '' : 's'}`;
