import { AnnealError } from '../errors.js';
import { COLORS, escapeXml, fitted, svgDocument } from './svg.js';
import { decades, shortNumber, ticks } from './ticks.js';

export type Point = readonly [x: number, y: number];

export interface Line {
  readonly name: string;
  readonly points: readonly Point[];
  /** Default false. */
  readonly faint?: boolean;
}

export interface LineChartOptions {
  /** Default none. */
  readonly title?: string;
  readonly xLabel?: string;
  readonly yLabel?: string;
  /** The x axis by powers of ten. Default false. */
  readonly xLog?: boolean;
  /** What the y axis covers at least. Default: the points. */
  readonly yRange?: readonly [number, number];
  /** Vertical lines with a word each. */
  readonly marks?: readonly { readonly x: number; readonly label: string }[];
  /** Pixels. Default 720. */
  readonly width?: number;
  /** Default 360. */
  readonly height?: number;
}

/** A path through the points; those on a straight line between their neighbours are left out. */
function path(points: readonly Point[]): string {
  const kept: Point[] = [];
  points.forEach((place, i) => {
    const before = kept[kept.length - 1];
    const next = points[i + 1];
    if (before && next) {
      const turn = (place[0] - before[0]) * (next[1] - before[1]) - (place[1] - before[1]) * (next[0] - before[0]);
      if (Math.abs(turn) < 1e-6) return;
    }
    kept.push(place);
  });
  return `M${kept.map(([px, py]) => `${Number(px.toFixed(2))},${Number(py.toFixed(2))}`).join('L')}`;
}

/** A loop, for a call takes only so many arguments. */
function extent(values: readonly number[]): [least: number, greatest: number] {
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  return [least, greatest];
}

const refuse = (expected: string, received: unknown): never => {
  throw new AnnealError('E_ARGUMENT', `chart: expected ${expected}, received ${String(received)}`);
};

/** A chart as an SVG document. @throws E_ARGUMENT without a line, on values that are not finite, or not positive on a log axis */
export function lineChart(lines: readonly Line[], options: LineChartOptions = {}): string {
  const { title = '', xLog = false, marks = [], width = 720, height = 360 } = options;
  for (const [name, value] of Object.entries({ width, height }))
    if (!(value > 0 && value < Number.POSITIVE_INFINITY)) refuse(`${name} to be positive`, value);
  const all = lines.flatMap(({ points }) => points);
  if (all.length === 0) refuse('a line with points', 'none');
  for (const [px, py] of [...all, ...marks.map(({ x }): Point => [x, 0])]) {
    if (!Number.isFinite(px) || !Number.isFinite(py)) refuse('finite values', `${px}, ${py}`);
    if (xLog && px <= 0) refuse('positive values on a logarithmic axis', px);
  }
  const along = (value: number): number => (xLog ? Math.log10(value) : value);
  const xs = all.map(([px]) => along(px));
  const [xMin, xEnd] = extent(xs);
  const xMax = xEnd > xMin ? xEnd : xMin + 1;
  const ys = [...all.map(([, py]) => py), ...(options.yRange ?? [])];
  const [low, top] = extent(ys);
  const high = top > low ? top : low + 1;
  const yTicks = ticks(low, high, Math.max(2, Math.floor(height / 60)));
  const [yMin, yMax] = [Math.min(low, yTicks[0] ?? low), Math.max(high, yTicks[yTicks.length - 1] ?? high)];
  const gutter = Math.max(...yTicks.map((tick) => shortNumber(tick).length)) * 7;
  const several = lines.length > 1;
  const header = (title === '' ? 18 : 44) + (several ? 24 : 0) + (marks.length > 0 ? 16 : 0);
  const box = { left: 24 + gutter + (options.yLabel ? 18 : 0), right: width - 24, top: header, bottom: height - 44 };
  const x = (value: number): number => box.left + ((box.right - box.left) * (along(value) - xMin)) / (xMax - xMin);
  const y = (value: number): number => box.bottom - ((box.bottom - box.top) * (value - yMin)) / (yMax - yMin);
  const at = (value: number): string => value.toFixed(1);

  const parts: string[] = [];
  for (const tick of yTicks) {
    parts.push(`<path class="grid" d="M${at(box.left)},${at(y(tick))}H${at(box.right)}"/>`);
    parts.push(`<text x="${at(box.left - 8)}" y="${at(y(tick) + 4)}" text-anchor="end">${shortNumber(tick)}</text>`);
  }
  const most = Math.max(2, Math.floor(width / 90));
  for (const tick of xLog
    ? decades(10 ** xMin, 10 ** xMax, most)
    : ticks(xMin, xMax, most, xs.every(Number.isInteger))) {
    const text = xLog ? shortNumber(tick) : tick.toLocaleString('en-US');
    parts.push(`<path class="axis" d="M${at(x(tick))},${at(box.bottom)}v5"/>`);
    parts.push(`<text x="${at(x(tick))}" y="${at(box.bottom + 19)}" text-anchor="middle">${text}</text>`);
  }
  parts.push(`<path class="axis" d="M${at(box.left)},${at(box.bottom)}H${at(box.right)}"/>`);
  if (options.xLabel) {
    const middle = at((box.left + box.right) / 2);
    parts.push(`<text x="${middle}" y="${at(height - 9)}" text-anchor="middle">${escapeXml(options.xLabel)}</text>`);
  }
  if (options.yLabel) {
    const middle = at((box.top + box.bottom) / 2);
    parts.push(
      `<text transform="translate(18 ${middle}) rotate(-90)" text-anchor="middle">${escapeXml(options.yLabel)}</text>`,
    );
  }
  if (title !== '') parts.push(`<text class="title" x="16" y="24">${escapeXml(fitted(title, width - 32, 8.8))}</text>`);
  [...marks]
    .sort((a, b) => a.x - b.x)
    .forEach(({ x: px, label }, i, { length }) => {
      parts.push(`<path class="axis" stroke-dasharray="4 3" d="M${at(x(px))},${at(box.top)}V${at(box.bottom)}"/>`);
      // Two neighbours' words go to either side.
      const anchor = length === 1 ? 'middle' : i % 2 === 0 ? 'end' : 'start';
      parts.push(`<text x="${at(x(px))}" y="${at(box.top - 6)}" text-anchor="${anchor}">${escapeXml(label)}</text>`);
    });
  lines.forEach(({ name, points, faint }, i) => {
    const opacity = faint ? ' opacity="0.35"' : '';
    if (points.length > 0) {
      const places = points.map(([px, py]): Point => [x(px), y(py)]);
      parts.push(`<path class="curve c${i % COLORS}"${opacity} d="${path(places)}"/>`);
    }
    if (!several) return;
    const share = (width - 32) / lines.length;
    const [px, py] = [16 + i * share, (title === '' ? 18 : 44) + 4];
    parts.push(`<path class="curve c${i % COLORS}"${opacity} d="M${at(px)},${at(py - 4)}h16"/>`);
    parts.push(`<text x="${at(px + 22)}" y="${at(py)}">${escapeXml(fitted(name, share - 30, 6.6))}</text>`);
  });
  return svgDocument(width, height, title === '' ? lines.map(({ name }) => name).join(', ') : title, parts);
}
