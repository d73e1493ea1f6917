/** A curve in a line of text: ▇▅▃▂▁. */
const marks = [...'▁▂▃▄▅▆▇█'];

/** The values that are drawn: means over runs of equally many values, which double where there would be too many. */
export class Sparkline {
  private means: number[] = [];
  /** Values in each mean. */
  private size = 1;
  private sum = 0;
  private count = 0;

  /** @param width at most so many characters, an even number */
  constructor(private readonly width: number) {}

  /** Values that are not finite are left out. */
  add(value: number): void {
    if (!Number.isFinite(value)) return;
    this.sum += value;
    this.count += 1;
    if (this.count < this.size) return;
    this.means.push(this.sum / this.count);
    this.sum = 0;
    this.count = 0;
    if (this.means.length <= this.width) return;
    // One more than fits: pairs become one, and the odd last one begins the next mean.
    const odd = this.means.pop() ?? 0;
    const { means, size } = this;
    this.means = Array.from(
      { length: means.length / 2 },
      (_, i) => ((means[2 * i] ?? 0) + (means[2 * i + 1] ?? 0)) / 2,
    );
    this.sum = odd * size;
    this.count = size;
    this.size = 2 * size;
  }

  /** From the lowest value to the highest, by their logarithms where all are positive. '' before there is any. */
  toString(): string {
    const { means } = this;
    const positive = means.every((value) => value > 0);
    const heights = positive ? means.map(Math.log) : means;
    const low = Math.min(...heights);
    const span = Math.max(...heights) - low;
    return heights
      .map((height) => marks[span > 0 ? Math.round(((height - low) / span) * (marks.length - 1)) : 0] ?? '')
      .join('');
  }
}
