// What the tables of the training benches share.
export const seeds = [1, 2, 3, 4, 5];

export const percent = (share: number): string => `${(100 * share).toFixed(2)}%`;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The median, and the least and the largest. */
export function spread(values: readonly number[]): string {
  return `${percent(median(values))} (${percent(Math.min(...values))} – ${percent(Math.max(...values))})`;
}

/** As Markdown. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  console.log([line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n'));
}
