// What the tables of the training benches share.
export const seeds = [1, 2, 3, 4, 5];

export const percent = (share: number): string => `${(100 * share).toFixed(2)}%`;

/** What a run did not come to (null) is left out. */
type Figures = readonly (number | null)[];

export function median(figures: Figures): number {
  const sorted = figures.filter((value) => value !== null).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The median, and the least and the largest. */
export function spread(figures: Figures): string {
  const values = figures.filter((value) => value !== null);
  if (values.length === 0) return 'none';
  if (values.length === 1) return percent(median(values));
  return `${percent(median(values))} (${percent(Math.min(...values))} – ${percent(Math.max(...values))})`;
}

/** As Markdown. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  console.log([line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n'));
}
