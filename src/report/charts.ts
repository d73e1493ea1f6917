/** Which curves of a run are drawn in which chart, and how. */
import { prefix } from './series.js';

/** How a value is printed. */
export type ValueFormat = 'number' | 'percent' | 'integer' | 'exponent' | 'bytes';

export interface ChartLine {
  /** The name of the curve. */
  readonly series: string;
  readonly label: string;
  /** One value an epoch: its points are marked. */
  readonly points?: boolean;
  /** One value a step, which jumps about: drawn faint below its moving average. */
  readonly noisy?: boolean;
  /** Not shown until asked for. */
  readonly hidden?: boolean;
}

export interface Chart {
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
  /** Values at which a dashed line is drawn, with their names. */
  readonly guides?: readonly { readonly value: number; readonly label: string }[];
  readonly lines: readonly ChartLine[];
}

/** epoch_loss, val_loss and ema_val_loss belong to loss. */
export function baseOf(name: string): string {
  return name.replace(/^(epoch_|(ema_)?val_|ema_)/, '');
}

/**
 * The charts of a run (or of several) that has curves of these names; charts without a curve are left out. Update-to-weight ratios
 * should lie between the bounds.
 */
export function chartsOf(names: Iterable<string>, bounds: readonly number[]): Chart[] {
  const all = [...names];
  const starting = (start: string): string[] => all.filter((name) => name.startsWith(start));
  const own = new Set(['lr', 'momentum', 'grad_norm', 'samples_per_second', 'epoch_samples_per_second']);
  const grouped = [prefix.ratio, prefix.memory, prefix.rate, prefix.dead, prefix.spread];
  const metrics = all.filter((name) => !own.has(name) && !grouped.some((start) => name.startsWith(start)));
  const bases = [...new Set(metrics.map(baseOf))];
  const rank = (base: string): number => (base === 'loss' ? 0 : base === 'accuracy' ? 1 : 2);
  bases.sort((a, b) => rank(a) - rank(b));
  const plain = (names: readonly string[], labelOf = (name: string): string => name): ChartLine[] =>
    names.filter((name) => all.includes(name)).map((series) => ({ series, label: labelOf(series) }));
  const charts: Chart[] = [
    ...bases.map((base) => metricChart(base, metrics)),
    {
      id: 'lr',
      title: 'Learning rate',
      note: '',
      format: 'number',
      lines: plain(['lr', ...starting(prefix.rate)], (name) => name.replace(prefix.rate, '')),
    },
    {
      id: 'update_ratio',
      title: 'Update-to-weight ratio',
      note: 'norm of the update over norm of the weights, by parameter; best between the dashed lines',
      format: 'exponent',
      log: true,
      wide: true,
      cut: 0.02,
      guides: bounds.map((value) => ({ value, label: value.toExponential().replace('e+', 'e') })),
      lines: ratioLines(starting(prefix.ratio)),
    },
    {
      id: 'grad_norm',
      title: 'Gradient norm',
      note: 'before clipping',
      format: 'number',
      log: true,
      lines: noisy(plain(['grad_norm'], () => 'all parameters')),
    },
    {
      id: 'activation_sd',
      title: 'Spread of activations',
      note: 'standard deviation of what each layer gives',
      format: 'number',
      log: true,
      lines: plain(starting(prefix.spread), (name) => name.slice(prefix.spread.length)),
    },
    {
      id: 'dead_units',
      title: 'Dead units',
      note: 'share of units that are 0 for a whole batch',
      format: 'percent',
      fromZero: true,
      lines: plain(starting(prefix.dead), (name) => name.slice(prefix.dead.length)),
    },
    { id: 'momentum', title: 'Momentum', note: '', format: 'number', lines: plain(['momentum']) },
    {
      id: 'throughput',
      title: 'Samples/s',
      note: '',
      format: 'integer',
      fromZero: true,
      lines: [
        ...noisy(plain(['samples_per_second'], () => 'steps')),
        ...plain(['epoch_samples_per_second'], () => 'epoch mean').map((line) => ({ ...line, points: true })),
      ],
    },
    {
      id: 'memory',
      title: 'Memory',
      note: 'device: live, pooled and peak; rss: the whole process',
      format: 'bytes',
      fromZero: true,
      lines: plain(starting(prefix.memory), (name) => name.replace(prefix.memory, '')),
    },
  ];
  return charts.filter(({ lines }) => lines.length > 0);
}

const noisy = (lines: readonly ChartLine[]): ChartLine[] => lines.map((line) => ({ ...line, noisy: true }));

function metricChart(base: string, metrics: readonly string[]): Chart {
  const isShare = /(^|_)accuracy$/.test(base);
  const labels: readonly (readonly [name: string, label: string])[] = [
    [base, 'training'],
    [`${prefix.epoch}${base}`, 'training, epoch mean'],
    [`val_${base}`, 'validation'],
    [`ema_val_${base}`, 'validation, EMA'],
    [`ema_${base}`, 'EMA'],
  ];
  const present = labels.filter(([name]) => metrics.includes(name));
  // Where every step has a value, its moving average says what the epoch's mean does.
  const shown = present.filter(([name]) => name !== `${prefix.epoch}${base}` || !metrics.includes(base));
  return {
    id: base,
    title: base.charAt(0).toUpperCase() + base.slice(1).replaceAll('_', ' '),
    note: isShare ? 'the lowest tenth is cut off' : '',
    format: isShare ? 'percent' : 'number',
    ...(base === 'loss' ? { log: true } : {}),
    ...(isShare ? { cut: 0.1 } : {}),
    lines: shown.map(([series, label]) =>
      series === base ? { series, label, noisy: true } : { series, label, points: true },
    ),
  };
}

/** Biases, and what normalizes, change by other shares than weights: they wait until asked for. */
function ratioLines(names: readonly string[]): ChartLine[] {
  const isWeight = (name: string): boolean => name.endsWith('weight');
  const hides = names.some(isWeight);
  return names.map((series) => ({
    series,
    label: series.slice(prefix.ratio.length),
    ...(hides && !isWeight(series) ? { hidden: true } : {}),
  }));
}
