/** A run as curves: for each name the steps at which there is a value, and the values. */
import type { MetricsEvent, Values } from './log_event.js';
import type { RunReport } from './run.js';

export interface Series {
  readonly step: number[];
  readonly value: number[];
}

/** The indices [first, end) of steps within [from, to]; steps ascend. */
export function indexRange(step: readonly number[], from: number, to: number): [first: number, end: number] {
  return [firstAtLeast(step, from), firstAtLeast(step, to, true)];
}

/** The first index whose step is at least `bound`, or beyond it. */
function firstAtLeast(step: readonly number[], bound: number, beyond = false): number {
  let low = 0;
  let high = step.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const here = step[middle] ?? 0;
    if (beyond ? here <= bound : here < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Prefixes of names that belong together. */
export const prefix = {
  epoch: 'epoch_',
  ratio: 'update_ratio/',
  memory: 'memory/',
  rate: 'lr/',
  mean: 'activation_mean/',
  spread: 'activation_sd/',
  zeros: 'zeros/',
  dead: 'dead_units/',
} as const;

/** Names of metrics that are no mean over training batches. */
const validation = /^(ema_|val_)/;

/**
 * The values of an event by the names of the run's curves: metrics by their own names, but the training means of an epoch as
 * epoch_loss; lr, lr/group, momentum, grad_norm, samples_per_second (of epochs: epoch_samples_per_second), update_ratio/parameter,
 * activation_mean/layer, activation_sd/layer, zeros/layer, dead_units/layer, memory/live and so on.
 */
export function valuesOf(event: MetricsEvent): [name: string, value: number][] {
  const result: [string, number][] = [];
  const add = (name: string, value: number | undefined): void => {
    if (value !== undefined) result.push([name, value]);
  };
  const all = (values: Values | undefined, named: (name: string) => string): void => {
    if (values !== undefined) for (const [name, value] of Object.entries(values)) result.push([named(name), value]);
  };
  switch (event.type) {
    case 'step':
      all(event.metrics, (name) => name);
      add('lr', event.lr);
      all(event.lrByGroup, (name) => prefix.rate + name);
      add('momentum', event.momentum);
      add('grad_norm', event.gradNorm);
      add('samples_per_second', event.samplesPerSecond);
      all(event.updateRatios, (name) => prefix.ratio + name);
      for (const [layer, { mean, standardDeviation, zeros, dead }] of Object.entries(event.activations ?? {})) {
        add(prefix.mean + layer, mean);
        add(prefix.spread + layer, standardDeviation);
        add(prefix.zeros + layer, zeros);
        add(prefix.dead + layer, dead);
      }
      if (event.memory !== undefined) all({ ...event.memory }, (name) => prefix.memory + name);
      break;
    case 'epoch':
      all(event.metrics, (name) => (validation.test(name) ? name : prefix.epoch + name));
      add(`${prefix.epoch}samples_per_second`, event.samplesPerSecond);
      break;
    case 'metrics':
      all(event.metrics, (name) => name);
      break;
    case 'start':
    case 'warning':
    case 'stop':
      break;
  }
  return result;
}

/** The curves of a run, in the order of their first values. */
export class SeriesTable {
  readonly byName = new Map<string, Series>();

  /** Steps ascend in all series: a value takes its place among them, and that of an earlier one of the same step. */
  add(event: MetricsEvent): void {
    for (const [name, value] of valuesOf(event)) {
      const series = this.byName.get(name) ?? { step: [], value: [] };
      const { step: steps } = series;
      const last = steps.at(-1) ?? Number.NEGATIVE_INFINITY;
      const at = event.step > last ? steps.length : firstAtLeast(steps, event.step);
      const known = steps[at] === event.step ? 1 : 0;
      steps.splice(at, known, event.step);
      series.value.splice(at, known, value);
      this.byName.set(name, series);
    }
  }
}

export function seriesOf({ steps, epochs, metrics = [] }: RunReport): SeriesTable {
  const table = new SeriesTable();
  for (const step of steps) table.add({ type: 'step', ...step });
  for (const epoch of epochs) table.add({ type: 'epoch', ...epoch });
  for (const record of metrics) table.add({ type: 'metrics', ...record });
  return table;
}
