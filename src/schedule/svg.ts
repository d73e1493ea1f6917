// schedule.svg: a picture of schedules that stands by itself.
import { lineChart } from '../chart/index.js';
import { finite, positive, refuse } from './kind.js';
import { named, sample, shownSteps, valueRange } from './sample.js';
import type { Schedule } from './schedule.js';

export interface SvgOptions {
  /** The last step shown. Default: the longest schedule's end, 1000 where none has one. */
  readonly steps?: number;
  /** So many epochs are those steps: the axis counts them in place of steps. */
  readonly epochs?: number;
  /** Default: the schedule with its options, none for several. */
  readonly title?: string;
  /** What the values are. Default none. */
  readonly label?: string;
  /** Pixels. Default 720. */
  readonly width?: number;
  /** Default 360. */
  readonly height?: number;
}

const SAMPLES = 1000;

/**
 * An SVG document with the values of one schedule, or of several by name, over steps or epochs: light or dark as the
 * reader's system, no scripts, no fonts. @throws E_ARGUMENT
 */
export function svg(schedules: Schedule | Readonly<Record<string, Schedule>>, options: SvgOptions = {}): string {
  const size = (name: string, value: number): number =>
    positive('').read(value, null) ?? refuse('svg', `${name} to be positive`, value);
  const entries = named('svg', schedules);
  const steps = shownSteps(
    'svg',
    entries.map(([, schedule]) => schedule),
    options.steps,
  );
  const epochs = options.epochs === undefined ? null : size('epochs', options.epochs);
  const width = size('width', options.width ?? 720);
  const height = size('height', options.height ?? 360);
  const [only] = entries;
  const title = options.title ?? (entries.length === 1 && only ? only[0] : '');
  const curves = entries.map(([name, schedule]) => sample(name, schedule, steps, SAMPLES));
  const bad = curves.find(({ points }) => points.some(([, value]) => finite('').read(value, null) === undefined));
  if (bad) refuse('svg', 'finite values', `others from ${bad.name}`);

  const shown = curves.map(({ name, points }) => ({
    name,
    points: points.map(([t, value]) => [epochs === null ? t : (t * epochs) / steps, value] as const),
  }));
  return lineChart(shown, {
    title,
    width,
    height,
    xLabel: epochs === null ? 'step' : 'epoch',
    yRange: valueRange(curves),
    ...(options.label !== undefined && { yLabel: options.label }),
  });
}
