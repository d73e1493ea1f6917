/** Which curves of a run are drawn in which chart, and how. */
import { isShare } from './format.js';
import { prefix } from './series.js';

/** How a value is printed. */
export type ValueFormat = 'number' | 'percent' | 'integer' | 'exponent' | 'bytes';

export interface ChartLine {
  /** The name of the curve. */
  readonly series: string;
  readonly label: string;
  /** Which of the page's eight colours, from 1, it has where it need not tell runs apart. */
  readonly color: number;
  /** One value an epoch: its points are marked. */
  readonly points?: boolean;
  /** One value a step, which jumps about: drawn faint below its moving average. */
  readonly noisy?: boolean;
  /** Not shown until asked for. */
  readonly hidden?: boolean;
}

export interface Chart {
  /** That of a metric begins with metric/, so that none is another chart's. */
  readonly id: string;
  readonly title: string;
  readonly note: string;
  readonly format: ValueFormat;
  readonly log?: boolean;
  /** The whole width of the page. */
  readonly wide?: boolean;
  readonly fromZero?: boolean;
  /** The lowest share of values that is cut off, where a few extreme ones would flatten all others. */
  readonly cut?: number;
  readonly lines: readonly ChartLine[];
}

export const ratioChart = 'update_ratio';
const colors = 8;

/** epoch_loss, val_loss and ema_val_loss belong to loss. */
export function baseOf(name: string): string {
  return name.replace(/^(epoch_|(ema_)?val_|ema_)/, '');
}

/** The charts of a run (or of several) that has curves of these names; charts without a curve are left out. */
export function chartsOf(names: Iterable<string>): Chart[] {
  const all = [...names];
  const own = new Set(['lr', 'momentum', 'grad_norm', 'samples_per_second', 'epoch_samples_per_second']);
  const { epoch: _means, ...groups } = prefix;
  const grouped = Object.values(groups);
  const metrics = all.filter((name) => !own.has(name) && !grouped.some((start) => name.startsWith(start)));
  const bases = [...new Set(metrics.map(baseOf))];
  const rank = (base: string): number => (base === 'loss' ? 0 : base === 'accuracy' ? 1 : 2);
  bases.sort((a, b) => rank(a) - rank(b));
  const line = (series: string, label: string, color: number): ChartLine[] =>
    all.includes(series) ? [{ series, label, color }] : [];
  /** A line for each name that begins so, called by the rest of it. */
  const each = (start: string, color = 1): ChartLine[] =>
    all
      .filter((name) => name.startsWith(start))
      .map((series, i) => ({ series, label: series.slice(start.length), color: 1 + ((color - 1 + i) % colors) }));
  const charts: Chart[] = [
    ...bases.map((base) => metricChart(base, metrics)),
    {
      id: 'lr',
      title: 'Learning rate',
      note: '',
      format: 'number',
      lines: [...line('lr', 'lr', 4), ...each(prefix.rate, 5)],
    },
    {
      id: ratioChart,
      title: 'Update-to-weight ratio',
      note: 'norm of the update over norm of the weights, by parameter; best between the dashed lines',
      format: 'exponent',
      log: true,
      wide: true,
      cut: 0.02,
      lines: weightsFirst(each(prefix.ratio)),
    },
    {
      id: 'grad_norm',
      title: 'Gradient norm',
      note: 'before clipping',
      format: 'number',
      log: true,
      lines: noisy(line('grad_norm', 'all parameters', 1)),
    },
    {
      id: 'activation_mean',
      title: 'Mean of activations',
      note: 'of what each layer gives',
      format: 'number',
      lines: each(prefix.mean),
    },
    {
      id: 'activation_sd',
      title: 'Spread of activations',
      note: 'standard deviation of what each layer gives',
      format: 'number',
      log: true,
      lines: each(prefix.spread),
    },
    {
      id: 'zeros',
      title: 'Zero activations',
      note: 'share of values that are 0: after a relu, what it cut off',
      format: 'percent',
      fromZero: true,
      lines: each(prefix.zeros),
    },
    {
      id: 'dead_units',
      title: 'Dead units',
      note: 'share of units that are 0 for a whole batch',
      format: 'percent',
      fromZero: true,
      lines: each(prefix.dead),
    },
    { id: 'momentum', title: 'Momentum', note: '', format: 'number', lines: line('momentum', 'momentum', 1) },
    {
      id: 'throughput',
      title: 'Samples/s',
      note: '',
      format: 'integer',
      fromZero: true,
      lines: [
        ...noisy(line('samples_per_second', 'steps', 1)),
        ...line('epoch_samples_per_second', 'epoch mean', 2).map((mean) => ({ ...mean, points: true })),
      ],
    },
    {
      id: 'memory',
      title: 'Memory',
      note: 'device: live, pooled and peak; rss: the whole process',
      format: 'bytes',
      fromZero: true,
      lines: each(prefix.memory),
    },
  ];
  return charts.filter(({ lines }) => lines.length > 0);
}

const noisy = (lines: readonly ChartLine[]): ChartLine[] => lines.map((line) => ({ ...line, noisy: true }));

function metricChart(base: string, metrics: readonly string[]): Chart {
  const share = isShare(base);
  const all: readonly ChartLine[] = [
    { series: base, label: 'training', color: 1, noisy: true },
    { series: `${prefix.epoch}${base}`, label: 'training, epoch mean', color: 1, points: true },
    { series: `val_${base}`, label: 'validation', color: 2, points: true },
    { series: `ema_val_${base}`, label: 'validation, EMA', color: 3, points: true },
    { series: `ema_${base}`, label: 'EMA', color: 3, points: true },
  ];
  const present = all.filter(({ series }) => metrics.includes(series));
  // Where every step has a value, its moving average says what the epoch's mean does.
  const shown = present.filter(({ series }) => series !== `${prefix.epoch}${base}` || !metrics.includes(base));
  return {
    id: `metric/${base}`,
    title: base.charAt(0).toUpperCase() + base.slice(1).replaceAll('_', ' '),
    note: share ? 'the lowest tenth is cut off' : '',
    format: share ? 'percent' : 'number',
    ...(base === 'loss' ? { log: true } : {}),
    ...(share ? { cut: 0.1 } : {}),
    lines: shown,
  };
}

/** Biases, and what normalizes, change by other shares than weights: they wait until asked for. */
function weightsFirst(lines: readonly ChartLine[]): ChartLine[] {
  const isWeight = ({ series }: ChartLine): boolean => series.endsWith('weight');
  const hides = lines.some(isWeight);
  return lines.map((line) => (hides && !isWeight(line) ? { ...line, hidden: true } : line));
}
