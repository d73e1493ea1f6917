import { shortNumber } from '../chart/ticks.js';
import type { Curve } from './sample.js';

/** Bits of the dots of a braille letter, by row and column. */
const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;

/**
 * A curve as lines of braille letters, each two dots wide and four high, with the values of the top and the bottom row at the left
 * and the first and last step below.
 */
export function braille(
  { points }: Curve,
  [low, high]: readonly [number, number],
  columns: number,
  rows: number,
): string[] {
  const letters = Array.from({ length: rows }, () => new Uint8Array(columns));
  const [width, height] = [2 * columns, 4 * rows];
  const end = points[points.length - 1]?.[0] ?? 1;
  const rowOf = (value: number): number => Math.round(((high - value) / (high - low)) * (height - 1));
  const set = (column: number, row: number): void => {
    const letter = letters[row >> 2];
    if (letter) letter[column >> 1] = (letter[column >> 1] ?? 0) | (DOTS[row & 3]?.[column & 1] ?? 0);
  };
  let before: number | null = null;
  for (let column = 0; column < width; column++) {
    const t = (column / (width - 1)) * end;
    const found = points.findLast(([at]) => at <= t);
    if (!found) continue;
    const row = rowOf(found[1]);
    // The way from the last dot to this one.
    for (let r = Math.min(row, before ?? row); r <= Math.max(row, before ?? row); r++) set(column, r);
    before = row;
  }
  const [top, bottom] = [shortNumber(high), shortNumber(low)];
  const gutter = Math.max(top.length, bottom.length);
  const lines = letters.map((line, i) => {
    const label = i === 0 ? top : i === rows - 1 ? bottom : '';
    return `${label.padStart(gutter)} ┤${String.fromCodePoint(...[...line].map((bits) => 0x2800 + bits))}`;
  });
  const last = end.toLocaleString('en-US');
  return [...lines, `${' '.repeat(gutter + 2)}0${last.padStart(columns - 1)}`];
}
