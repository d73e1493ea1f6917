// search.svg: the value of each trial over each of its parameters, as a picture that stands by itself.
import { escapeXml, svgDocument } from '../chart/svg.js';
import { decades, shortNumber, ticks } from '../chart/ticks.js';
import { AnnealError } from '../errors.js';
import type { Direction } from './pruner.js';
import { bestOf } from './search.js';
import type { TrialRecord } from './trial.js';

export interface SearchSvgOptions {
  /** Default: all that the trials have, in their order. */
  readonly parameters?: readonly string[];
  /** Default: those whose values are positive and span more than two powers of ten. */
  readonly logarithmic?: readonly string[];
  /** What the value is. Default 'value'. */
  readonly label?: string;
  readonly title?: string;
  readonly direction?: Direction;
}

const PANEL = { width: 250, height: 200, left: 56, top: 16, right: 14, bottom: 46 } as const;
const COLUMNS = 3;

const at = (value: number): string => value.toFixed(1);

/** A direction of a panel: where a value lies, from 0 to 1, and which values are named. */
interface Scale {
  place(value: unknown): number;
  readonly marks: readonly { readonly at: number; readonly text: string }[];
}

function numberScale(values: readonly number[], logarithmic: boolean, count: number): Scale {
  const of = (value: number): number => (logarithmic ? Math.log10(value) : value);
  const [least, most] = [Math.min(...values.map(of)), Math.max(...values.map(of))];
  const margin = (most - least || Math.abs(most) || 1) * 0.04;
  const [low, high] = [least - margin, most + margin];
  const place = (value: number): number => (value - low) / (high - low);
  const named = logarithmic ? decades(10 ** low, 10 ** high, count) : ticks(low, high, count);
  const marks = named.map((tick) => ({ at: place(of(tick)), text: shortNumber(tick) }));
  return { place: (value) => place(of(Number(value))), marks };
}

function choiceScale(values: readonly unknown[]): Scale {
  const choices = [...new Set(values)].sort((a, b) => String(a).localeCompare(String(b)));
  const place = (value: unknown): number => (choices.indexOf(value) + 0.5) / choices.length;
  return { place, marks: choices.map((choice) => ({ at: place(choice), text: String(choice) })) };
}

/** Discs and rings by their strokes, whose colours charts have. */
const marks = {
  complete: 'class="c0" r="1.75" stroke-width="3.5" stroke-opacity="0.65"',
  pruned: 'class="axis" r="3.5"',
  best: 'class="c1" r="2.5" stroke-width="5"',
} as const;

interface Point {
  readonly trial: TrialRecord;
  readonly value: number;
}

function panel(name: string, points: readonly Point[], y: Scale, isLog: boolean, best: TrialRecord | null): string {
  const { width, height, left, top, right, bottom } = PANEL;
  const valueOf = ({ trial }: Point): unknown => ({ ...trial.parameters })[name];
  const shown = points.filter((point) => valueOf(point) !== undefined);
  const values = shown.map(valueOf);
  const numbers = values.filter((value): value is number => typeof value === 'number');
  const x =
    numbers.length === values.length && values.length > 0 ? numberScale(numbers, isLog, 4) : choiceScale(values);
  const px = (share: number): number => left + share * (width - left - right);
  const py = (share: number): number => height - bottom - share * (height - top - bottom);
  const parts: string[] = [];
  for (const { at: share, text } of y.marks) {
    parts.push(`<path class="grid" d="M${left},${at(py(share))}H${width - right}"/>`);
    parts.push(`<text x="${left - 6}" y="${at(py(share) + 4)}" text-anchor="end">${text}</text>`);
  }
  parts.push(`<path class="axis" d="M${left},${height - bottom}H${width - right}"/>`);
  for (const { at: share, text } of x.marks) {
    parts.push(`<path class="axis" d="M${at(px(share))},${height - bottom}v4"/>`);
    parts.push(`<text x="${at(px(share))}" y="${height - bottom + 17}" text-anchor="middle">${escapeXml(text)}</text>`);
  }
  parts.push(`<text x="${at(px(0.5))}" y="${height - 10}" text-anchor="middle">${escapeXml(name)}</text>`);
  // The best one lies on top.
  const order = [...shown].sort((a, b) => Number(a.trial === best) - Number(b.trial === best));
  for (const point of order) {
    const { trial, value } = point;
    const place = `cx="${at(px(x.place(valueOf(point))))}" cy="${at(py(y.place(value)))}"`;
    const tip = `<title>trial ${trial.number}: ${shortNumber(value)}</title>`;
    const mark = trial === best ? marks.best : trial.state === 'pruned' ? marks.pruned : marks.complete;
    parts.push(`<circle fill="none" ${mark} ${place}>${tip}</circle>`);
  }
  return parts.join('\n');
}

/**
 * An SVG document with a panel for each parameter: the value of every complete trial, and of pruned ones as rings where they were given
 * up; the best is marked. @throws E_ARGUMENT without a trial that has a finite value
 */
export function svg(trials: readonly TrialRecord[], options: SearchSvgOptions = {}): string {
  const { label = 'value', title = '', direction = 'minimize' } = options;
  const points = trials.flatMap((trial) =>
    trial.value !== null && Number.isFinite(trial.value) ? [{ trial, value: trial.value }] : [],
  );
  if (points.length === 0)
    throw new AnnealError('E_ARGUMENT', 'svg: expected a trial with a finite value, received none');
  const names = options.parameters ?? [...new Set(trials.flatMap(({ parameters }) => Object.keys(parameters)))];
  const isLog = (name: string): boolean => {
    if (options.logarithmic) return options.logarithmic.includes(name);
    const values = trials.flatMap(({ parameters }) => {
      const value: unknown = { ...parameters }[name];
      return typeof value === 'number' ? [value] : [];
    });
    return values.length > 0 && Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > 100;
  };
  const y = numberScale(
    points.map(({ value }) => value),
    false,
    6,
  );
  const best = bestOf(trials, direction);
  const head = title === '' ? 26 : 48;
  const columns = Math.min(COLUMNS, names.length);
  const width = columns * PANEL.width + 12;
  const height = head + Math.ceil(names.length / columns) * PANEL.height + 6;
  const panels = names.map((name, i) => {
    const place = `${(i % columns) * PANEL.width} ${head + Math.floor(i / columns) * PANEL.height}`;
    return `<g transform="translate(${place})">\n${panel(name, points, y, isLog(name), best)}\n</g>`;
  });
  const alt = title === '' ? `${label} over ${names.join(', ')}` : title;
  const heading = title === '' ? [] : [`<text class="title" x="16" y="24">${escapeXml(title)}</text>`];
  return svgDocument(width, height, alt, [
    ...heading,
    `<text x="16" y="${head - 6}">${escapeXml(label)}</text>`,
    ...panels,
  ]);
}
