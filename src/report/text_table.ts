/**
 * A plain-text table that can be printed row by row: the widths are given beforehand, numbers stand at the right.
 */
const gap = '  ';

/** One row: each cell at the right of its width; a longer one is printed whole. */
export function tableRow(cells: readonly string[], widths: readonly number[]): string {
  return cells.map((cell, index) => ' '.repeat(Math.max(0, (widths[index] ?? 0) - lengthOf(cell))) + cell).join(gap);
}

/** The names and a rule below them. */
export function tableHead(names: readonly string[], widths: readonly number[]): string {
  return `${tableRow(names, widths)}\n${widths.map((width) => '─'.repeat(width)).join(gap)}`;
}

/** In characters, not UTF-16 units. */
function lengthOf(text: string): number {
  return [...text].length;
}
