// The charts of the benchmark's page, as SVG in the colours of the page's style, so that they need no script.
import { escapeXml } from '../chart/svg.js';
import { significant } from '../report/format.js';
import type { BenchLimits, BenchResult } from './report.js';

const WIDTH = 1280;
const TEXT = 'font-size="12"';

/** Colours of a group's marks, of the page's palette. */
const groupColors: Readonly<Record<string, string>> = {
  sgemm: 'c1',
  conv: 'c2',
  memory: 'c3',
  optimizer: 'c4',
  train: 'c5',
  overhead: 'c8',
};

export const colorOfGroup = (group: string): string => `var(--${groupColors[group] ?? 'c8'})`;
const peerColors = ['c2', 'c3', 'c4', 'c6', 'c7', 'c5', 'c8'];
export const colorOfPeer = (index: number): string => `var(--${peerColors[index % peerColors.length]})`;

interface Scale {
  (value: number): number;
  readonly ticks: readonly number[];
}

/** Logarithmic, from `low` to `high` onto [from, to]; ticks at 1, 2, 5 of each decade where there are few. */
function logScale(low: number, high: number, from: number, to: number): Scale {
  const [a, b] = [Math.log10(low), Math.log10(high)];
  const steps = b - a > 2.5 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let decade = Math.floor(a); decade <= b; decade++)
    for (const step of steps) {
      const value = step * 10 ** decade;
      if (value >= low * 0.999 && value <= high * 1.001) ticks.push(value);
    }
  const scale = (value: number): number => from + ((Math.log10(value) - a) / (b - a)) * (to - from);
  return Object.assign(scale, { ticks });
}

const n = (value: number): string => value.toFixed(1);

function line(x1: number, y1: number, x2: number, y2: number, stroke: string, more = ''): string {
  return `<line x1="${n(x1)}" y1="${n(y1)}" x2="${n(x2)}" y2="${n(y2)}" stroke="${stroke}" ${more}/>`;
}

function label(x: number, y: number, text: string, anchor: 'start' | 'middle' | 'end', fill = 'var(--muted)'): string {
  return `<text x="${n(x)}" y="${n(y)}" text-anchor="${anchor}" fill="${fill}" ${TEXT}>${escapeXml(text)}</text>`;
}

function svg(height: number, name: string, parts: readonly string[]): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeXml(name)}">\n${parts.join('\n')}\n</svg>`;
}

const percentOf = (share: number): string => `${Number((100 * share).toPrecision(2))}%`;
const describe = ({ work, figure, cache, threads }: BenchResult): string =>
  `${work} (${figure}, ${cache}, ${threads}t)`;

/** Rows that a roofline can place: the kernels of one work each, on all threads. */
function placed(results: readonly BenchResult[]): (BenchResult & { readonly gflops: number; readonly gbps: number })[] {
  const threads = Math.max(...results.map((row) => row.threads));
  return results.flatMap((row) => {
    const { gflops, gbps, figure, group } = row;
    if (gflops === undefined || gbps === undefined || row.threads !== threads) return [];
    return figure === 'kernel' && group !== 'overhead' ? [{ ...row, gflops, gbps }] : [];
  });
}

/**
 * Share of the multiply-add peak against arithmetic intensity (flops a byte moved), both logarithmic, under the roofs of
 * the peak, of the caches and of memory. Hollow marks: cold caches.
 */
export function rooflineChart(results: readonly BenchResult[], limits: BenchLimits): string {
  const rows = placed(results);
  const height = 520;
  const [left, right, top, bottom] = [64, WIDTH - 16, 16, height - 44];
  const peak = limits.fmaGflopsAll;
  const intensities = rows.map(({ gflops, gbps }) => gflops / gbps);
  const shares = rows.map(({ gflops }) => gflops / peak);
  const [lowX, highX] = [0.5 * Math.min(0.2, ...intensities), 2 * Math.max(50, ...intensities)];
  const lowY = 0.6 * Math.min(0.01, ...shares);
  const x = logScale(lowX, highX, left, right);
  const y = logScale(lowY, 1.2 * Math.max(1.25, ...shares), bottom, top);
  const parts = [
    ...x.ticks.flatMap((tick) => [
      line(x(tick), top, x(tick), bottom, 'var(--grid)'),
      label(x(tick), bottom + 18, significant(tick).replace(/\.?0+$/, ''), 'middle'),
    ]),
    ...y.ticks.flatMap((tick) => [
      line(left, y(tick), right, y(tick), 'var(--grid)'),
      label(left - 8, y(tick) + 4, percentOf(tick), 'end'),
    ]),
    label((left + right) / 2, height - 6, 'arithmetic intensity, flop/byte', 'middle'),
    `<clipPath id="roof"><rect x="${left}" y="${top}" width="${right - left}" height="${bottom - top}"/></clipPath>`,
  ];
  const roofs: [string, number, string][] = [
    ['memory (triad)', limits.triadGBps, ''],
    ['L3', limits.l3GBps, '6 4'],
    ['L2', limits.l2GBps, '6 4'],
    ['L1', limits.l1GBps, '6 4'],
  ];
  for (const [name, gbps, dash] of roofs) {
    if (!(gbps > 0)) continue;
    const ridge = peak / gbps; // where this roof meets the peak
    const share = (intensity: number): number => Math.min(1, (intensity * gbps) / peak);
    const more = `stroke-width="1.5" stroke-dasharray="${dash}" clip-path="url(#roof)"`;
    const end = Math.min(ridge, highX);
    parts.push(line(x(lowX), y(share(lowX)), x(end), y(share(end)), 'var(--guide)', more));
    const at = Math.max(lowX, (peak * lowY) / gbps) * 1.15;
    parts.push(label(x(at) + 6, y(share(at)) + 14, `${name} ${gbps.toFixed(0)} GB/s`, 'start'));
  }
  parts.push(
    line(left, y(1), right, y(1), 'var(--guide)', 'stroke-width="1.5"'),
    label(right - 4, y(1) - 6, `multiply-add peak ${peak.toFixed(0)} GFLOP/s`, 'end'),
  );
  for (const row of rows) {
    const { gflops, gbps, group, cache, shareOfLimit } = row;
    const fill = cache === 'cold' ? 'var(--card)' : colorOfGroup(group);
    const title = `${describe(row)}: ${gflops.toFixed(1)} GFLOP/s, ${gbps.toFixed(1)} GB/s, ${percentOf(shareOfLimit)} of its limit`;
    parts.push(
      `<circle cx="${n(x(gflops / gbps))}" cy="${n(y(gflops / peak))}" r="4.5" fill="${fill}" stroke="${colorOfGroup(group)}" ` +
        `stroke-width="1.5" fill-opacity="0.85"><title>${escapeXml(title)}</title></circle>`,
    );
  }
  return svg(height, 'Roofline', parts);
}

const ROW = 20;
const NAMES = 260;

/** A horizontal bar for each row: its share of the limit that binds it. */
export function shareChart(results: readonly BenchResult[]): string {
  const rows = results.filter(({ figure, group }) => figure === 'kernel' && group !== 'overhead');
  const height = rows.length * ROW + 40;
  const [left, right] = [NAMES, WIDTH - 90];
  const x = (share: number): number => left + Math.min(1.1, share) * ((right - left) / 1.1);
  const parts = [0, 0.25, 0.5, 0.75, 0.85, 1].flatMap((tick) => [
    line(
      x(tick),
      8,
      x(tick),
      height - 28,
      tick === 1 ? 'var(--guide)' : 'var(--grid)',
      tick === 0.85 ? 'stroke-dasharray="3 3"' : '',
    ),
    label(x(tick), height - 10, percentOf(tick), 'middle'),
  ]);
  rows.forEach((row, i) => {
    const at = 12 + i * ROW;
    const { bound, shareOfLimit, work, cache, threads } = row;
    const color = bound === 'compute' ? 'var(--c1)' : 'var(--c3)';
    const more = `${cache === 'cold' ? ' cold' : ''}${threads === 1 ? ' 1t' : ''}`;
    parts.push(
      label(left - 8, at + 12, `${work}${more}`, 'end', 'var(--text)'),
      `<rect x="${left}" y="${at + 2}" width="${n(x(shareOfLimit) - left)}" height="${ROW - 6}" rx="2" fill="${color}" ` +
        `fill-opacity="${cache === 'cold' ? 0.55 : 0.9}"><title>${escapeXml(describe(row))}</title></rect>`,
      label(x(shareOfLimit) + 6, at + 12, percentOf(shareOfLimit), 'start'),
    );
  });
  return svg(height, 'Share of the limit', parts);
}

/**
 * Each peer's time over ours, logarithmic, a bar from 1: to the right we are faster. The bar is our kernel alone, the tick
 * the call as a user makes it.
 */
export function peerChart(results: readonly BenchResult[], peers: readonly string[]): string {
  const works = [
    ...new Set(results.flatMap(({ work, peers: found }) => (Object.keys(found).length > 0 ? [work] : []))),
  ];
  const find = (work: string, figure: BenchResult['figure']): BenchResult | undefined =>
    results.find((row) => row.work === work && row.figure === figure && Object.keys(row.peers).length > 0);
  const ratios = works.flatMap((work) =>
    [find(work, 'kernel'), find(work, 'call')].flatMap((row) =>
      Object.values(row?.peers ?? {}).map(({ ratio }) => ratio),
    ),
  );
  const bar = 8;
  const rowHeight = Math.max(ROW, peers.length * (bar + 2) + 8);
  const height = works.length * rowHeight + 40;
  const [left, right] = [NAMES, WIDTH - 60];
  const x = logScale(
    Math.max(0.05, Math.min(0.5, ...ratios) * 0.9),
    Math.min(20, Math.max(4, ...ratios) * 1.1),
    left,
    right,
  );
  const clamp = (ratio: number): number => Math.max(left, Math.min(right, x(ratio)));
  const parts = x.ticks.flatMap((tick) => [
    line(
      x(tick),
      4,
      x(tick),
      height - 28,
      tick === 1 ? 'var(--guide)' : 'var(--grid)',
      tick === 1 ? 'stroke-width="1.5"' : '',
    ),
    label(x(tick), height - 10, `${tick}x`, 'middle'),
  ]);
  works.forEach((work, i) => {
    const top = 8 + i * rowHeight;
    const [kernel, call] = [find(work, 'kernel'), find(work, 'call')];
    parts.push(label(left - 8, top + rowHeight / 2 + 2, work, 'end', 'var(--text)'));
    peers.forEach((name, p) => {
      const at = top + p * (bar + 2);
      const figure = kernel?.peers[name];
      if (figure !== undefined) {
        const [a, b] = [clamp(Math.min(1, figure.ratio)), clamp(Math.max(1, figure.ratio))];
        const title = `${work}: ${name} ${significant(figure.msMedian)} ms, ours ${significant(kernel?.msMedian ?? Number.NaN)} ms, ${figure.ratio.toFixed(2)}x`;
        parts.push(
          `<rect x="${n(a)}" y="${n(at)}" width="${n(Math.max(1, b - a))}" height="${bar}" rx="1.5" fill="${colorOfPeer(p)}" ` +
            `fill-opacity="${figure.ratio >= 1 ? 0.9 : 0.45}"><title>${escapeXml(title)}</title></rect>`,
        );
      }
      const whole = call?.peers[name];
      if (whole !== undefined)
        parts.push(
          line(clamp(whole.ratio), at - 1, clamp(whole.ratio), at + bar + 1, 'var(--text)', 'stroke-width="2"'),
        );
    });
  });
  return svg(height, 'Peers', parts);
}
