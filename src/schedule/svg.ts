// schedule.svg: a picture of schedules that stands by itself.
import { finite, positive, refuse } from './kind.js';
import { type Curve, named, sample, shownSteps, valueRange } from './sample.js';
import type { Schedule } from './schedule.js';
import { shortNumber, ticks } from './ticks.js';

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
const COLORS = 6;

interface Theme {
  readonly page: string;
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  readonly axis: string;
  readonly curves: readonly string[];
}

const light: Theme = {
  page: '#ffffff',
  text: '#1b2230',
  muted: '#667085',
  grid: '#e9ebf0',
  axis: '#c3c9d4',
  curves: ['#2563eb', '#e8710a', '#12915f', '#9333ea', '#d92f5d', '#0891a8'],
};
const dark: Theme = {
  page: '#181e27',
  text: '#e6e9ef',
  muted: '#95a0b2',
  grid: '#2a323f',
  axis: '#475163',
  curves: ['#6ea0ff', '#ff9d4d', '#4cc38a', '#c084fc', '#ff7896', '#4fc6dc'],
};

/** Written out, without variables, which some viewers of SVG do not know. */
const rules = ({ page, text, muted, grid, axis, curves }: Theme): string =>
  [
    `.page { fill: ${page}; }`,
    `text { fill: ${muted}; }`,
    `.title { fill: ${text}; }`,
    `.grid { stroke: ${grid}; }`,
    `.axis { stroke: ${axis}; }`,
    ...curves.map((color, i) => `.c${i} { stroke: ${color}; }`),
  ]
    .map((rule) => `.schedules ${rule}`)
    .join(' ');

const style = `
.schedules text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; }
.schedules .title { font-size: 14px; font-weight: 600; }
.schedules .curve { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
${rules(light)}
@media (prefers-color-scheme: dark) { ${rules(dark)} }
`;

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** The curve's path; points on a straight line between their neighbours are left out. */
function path({ points }: Curve, x: (t: number) => number, y: (value: number) => number): string {
  const places = points.map(([t, value]) => [x(t), y(value)] as const);
  const kept: (readonly [number, number])[] = [];
  places.forEach((place, i) => {
    const before = kept[kept.length - 1];
    const next = places[i + 1];
    if (before && next) {
      const turn = (place[0] - before[0]) * (next[1] - before[1]) - (place[1] - before[1]) * (next[0] - before[0]);
      if (Math.abs(turn) < 1e-6) return;
    }
    kept.push(place);
  });
  return `M${kept.map(([px, py]) => `${Number(px.toFixed(2))},${Number(py.toFixed(2))}`).join('L')}`;
}

/** Cut to what fits a width, by the mean width of a letter. */
function fitted(text: string, pixels: number, letter: number): string {
  const most = Math.floor(pixels / letter);
  return text.length <= most ? text : `${text.slice(0, Math.max(1, most - 1))}…`;
}

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

  const [low, high] = valueRange(curves);
  const yTicks = ticks(low, high, Math.max(2, Math.floor(height / 60)));
  const [yMin, yMax] = [Math.min(low, yTicks[0] ?? low), Math.max(high, yTicks[yTicks.length - 1] ?? high)];
  const gutter = Math.max(...yTicks.map((tick) => shortNumber(tick).length)) * 7;
  const several = entries.length > 1;
  const top = (title === '' ? 18 : 44) + (several ? 24 : 0);
  const box = { left: 24 + gutter + (options.label ? 18 : 0), right: width - 24, top, bottom: height - 44 };
  const x = (t: number): number => box.left + ((box.right - box.left) * t) / steps;
  const y = (value: number): number => box.bottom - ((box.bottom - box.top) * (value - yMin)) / (yMax - yMin);
  const end = epochs ?? steps;
  const at = (value: number): string => value.toFixed(1);

  const parts: string[] = [];
  for (const tick of yTicks) {
    parts.push(`<path class="grid" d="M${at(box.left)},${at(y(tick))}H${at(box.right)}"/>`);
    parts.push(`<text x="${at(box.left - 8)}" y="${at(y(tick) + 4)}" text-anchor="end">${shortNumber(tick)}</text>`);
  }
  for (const tick of ticks(0, end, Math.max(2, Math.floor(width / 90)))) {
    const px = x((tick * steps) / end);
    const text = tick.toLocaleString('en-US');
    parts.push(`<path class="axis" d="M${at(px)},${at(box.bottom)}v5"/>`);
    parts.push(`<text x="${at(px)}" y="${at(box.bottom + 19)}" text-anchor="middle">${text}</text>`);
  }
  parts.push(`<path class="axis" d="M${at(box.left)},${at(box.bottom)}H${at(box.right)}"/>`);
  const middle = (box.left + box.right) / 2;
  parts.push(
    `<text x="${at(middle)}" y="${at(height - 9)}" text-anchor="middle">${epochs === null ? 'step' : 'epoch'}</text>`,
  );
  if (options.label) {
    const py = at((box.top + box.bottom) / 2);
    parts.push(
      `<text transform="translate(18 ${py}) rotate(-90)" text-anchor="middle">${escape(options.label)}</text>`,
    );
  }
  if (title !== '') {
    parts.push(`<text class="title" x="16" y="24">${escape(fitted(title, width - 32, 8.8))}</text>`);
  }
  curves.forEach((curve, i) => {
    parts.push(`<path class="curve c${i % COLORS}" d="${path(curve, x, y)}"/>`);
    if (!several) return;
    const share = (width - 32) / curves.length;
    const px = 16 + i * share;
    parts.push(`<path class="curve c${i % COLORS}" d="M${at(px)},${at(top - 24)}h16"/>`);
    parts.push(`<text x="${at(px + 22)}" y="${at(top - 20)}">${escape(fitted(curve.name, share - 30, 6.6))}</text>`);
  });
  const alt = escape(title === '' ? entries.map(([name]) => name).join(', ') : title);
  return `<svg xmlns="http://www.w3.org/2000/svg" class="schedules" role="img" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<title>${alt}</title>
<style>${style}</style>
<rect width="100%" height="100%" rx="8" class="page"/>
${parts.join('\n')}
</svg>
`;
}
