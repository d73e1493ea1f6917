/** The epochs of a run as a table: for the page, the terminal and `anneal report`. */
import { baseOf } from './charts.js';
import { duration, integer, metricValue, significant } from './format.js';
import type { EpochRecord } from './log_event.js';

export interface EpochTable {
  readonly names: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** The row with the best validation accuracy, or else the least validation loss; -1 where none was measured. */
  readonly best: number;
}

/** The names of metrics in the order of columns: loss before accuracy before others, training before validation before EMA. */
export function metricNames(epochs: readonly Pick<EpochRecord, 'metrics'>[]): string[] {
  const names = [...new Set(epochs.flatMap(({ metrics }) => Object.keys(metrics)))];
  const stage = (name: string): number => (name.startsWith('ema_') ? 2 : name.startsWith('val_') ? 1 : 0);
  const bases = [...new Set(names.map(baseOf))];
  const rank = (name: string): number => {
    const base = baseOf(name);
    return base === 'loss' ? -2 : base === 'accuracy' ? -1 : bases.indexOf(base);
  };
  return names.sort((a, b) => stage(a) - stage(b) || rank(a) - rank(b));
}

/** val_accuracy as 'val accuracy'. */
export const columnName = (name: string): string => name.replaceAll('_', ' ');

export function epochTable(epochs: readonly EpochRecord[]): EpochTable {
  const metrics = metricNames(epochs);
  return {
    names: ['epoch', ...metrics.map(columnName), 'lr', 'time', 'samples/s'],
    rows: epochs.map((epoch) => [
      integer(epoch.epoch),
      ...metrics.map((name) => metricValue(name, epoch.metrics[name])),
      significant(epoch.lr),
      duration(epoch.seconds),
      integer(epoch.samplesPerSecond),
    ]),
    best: bestEpoch(epochs),
  };
}

/** The index of the best epoch, the first of equals. */
function bestEpoch(epochs: readonly EpochRecord[]): number {
  const byName = (name: string, sign: 1 | -1): number => {
    const values = epochs.map(({ metrics }) => sign * (metrics[name] ?? Number.NaN));
    return values.indexOf(Math.max(...values.filter(Number.isFinite)));
  };
  const byAccuracy = byName('val_accuracy', 1);
  return byAccuracy >= 0 ? byAccuracy : byName('val_loss', -1);
}
