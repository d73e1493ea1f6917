// What members say about each example, added up on the host in double precision.
import { AnnealError } from '../errors.js';

/** How good probabilities are. */
export interface ProbabilityMetrics {
  /** The share of examples whose largest probability is at their class. */
  readonly accuracy: number;
  /** The mean of -log p(class). */
  readonly logLoss: number;
  /**
   * The expected calibration error: with B_m the examples whose confidence, the largest probability, lies in ((m-1)/M, m/M],
   *   ECE = sum_m |B_m| / n |acc(B_m) - conf(B_m)|.
   * Guo et al. 2017, arXiv:1706.04599, equation 3.
   */
  readonly calibrationError: number;
}

/** Examples whose confidence lies in (lower, upper]: a bar of a reliability diagram. */
export interface CalibrationBin {
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
  /** Means; NaN of none. */
  readonly confidence: number;
  readonly accuracy: number;
}

export interface EnsembleReport extends ProbabilityMetrics {
  readonly examples: number;
  /**
   * The share of examples for which two members name different classes, mean over all pairs of members; 0 for one. Kuncheva and
   * Whitaker 2003, doi:10.1023/A:1022859003006.
   */
  readonly disagreement: number;
  /** Each by itself. */
  readonly members: readonly ProbabilityMetrics[];
  readonly calibration: readonly CalibrationBin[];
}

/** log(exp(a) + exp(b)). */
function logAddExp(a: number, b: number): number {
  const larger = Math.max(a, b);
  return larger === Number.NEGATIVE_INFINITY ? larger : larger + Math.log1p(Math.exp(-Math.abs(a - b)));
}

export class Tally {
  readonly #bins: number;
  #labels: number[] = [];
  /** Members x examples: the class each names. */
  readonly #named: Int32Array[] = [];
  readonly #members: ProbabilityMetrics[] = [];
  /** [examples, classes]: the log of the sum of members' probabilities. */
  #sum: Float64Array | null = null;
  #classes = 0;
  /** Of the pass under way. */
  #pass: Float32Array[] = [];
  #seen = 0;

  constructor(bins: number) {
    this.#bins = bins;
  }

  /** A member's pass over the data begins. */
  begin(): void {
    this.#pass = [];
    this.#seen = 0;
  }

  /** A batch's classes, and its log-probabilities [N, classes]. @throws E_RANGE for a class that there is none of */
  add(labels: ArrayLike<number>, values: Float32Array): void {
    const first = this.#members.length === 0;
    if (labels.length === 0) return;
    const classes = values.length / labels.length;
    this.#classes ||= classes;
    if (classes !== this.#classes)
      throw new AnnealError(
        'E_SHAPE',
        `ensemble: expected ${this.#classes} classes of every member, received ${classes}`,
      );
    for (let i = 0; i < labels.length; i++) {
      const label = labels[i] ?? -1;
      if (!(label >= 0 && label < classes))
        throw new AnnealError('E_RANGE', `ensemble: expected classes within 0..${classes - 1}, received ${label}`);
      if (first) this.#labels.push(label);
    }
    this.#pass.push(values);
    this.#seen += labels.length;
  }

  /** The pass is done. @throws E_ARGUMENT when it had no example, or others than the one before */
  end(): void {
    const examples = this.#labels.length;
    if (examples === 0) throw new AnnealError('E_ARGUMENT', 'ensemble: expected at least one batch, received none');
    if (this.#seen !== examples)
      throw new AnnealError(
        'E_ARGUMENT',
        `ensemble: expected the same ${examples} examples again, received ${this.#seen}`,
      );
    const logs = new Float64Array(examples * this.#classes);
    let at = 0;
    for (const values of this.#pass) {
      logs.set(values, at);
      at += values.length;
    }
    this.#pass = [];
    const { metrics, named } = this.#measure(logs);
    this.#members.push(metrics);
    this.#named.push(named);
    const sum = this.#sum;
    if (sum === null) this.#sum = logs;
    else for (let i = 0; i < sum.length; i++) sum[i] = logAddExp(sum[i] ?? 0, logs[i] ?? 0);
  }

  report(): EnsembleReport {
    const shift = Math.log(this.#members.length);
    const { metrics, calibration } = this.#measure((this.#sum ?? new Float64Array()).map((value) => value - shift));
    return {
      ...metrics,
      examples: this.#labels.length,
      disagreement: this.#disagreement(),
      members: this.#members,
      calibration,
    };
  }

  /** From log-probabilities [examples, classes]. */
  #measure(logs: Float64Array): {
    readonly metrics: ProbabilityMetrics;
    readonly named: Int32Array;
    readonly calibration: readonly CalibrationBin[];
  } {
    const [classes, bins, examples] = [this.#classes, this.#bins, this.#labels.length];
    const named = new Int32Array(examples);
    const counts = new Float64Array(bins);
    const confidences = new Float64Array(bins);
    const hits = new Float64Array(bins);
    let [right, loss] = [0, 0];
    this.#labels.forEach((label, i) => {
      let best = 0;
      for (let c = 1; c < classes; c++) if ((logs[i * classes + c] ?? 0) > (logs[i * classes + best] ?? 0)) best = c;
      named[i] = best;
      const hit = best === label ? 1 : 0;
      const confidence = Math.exp(logs[i * classes + best] ?? 0);
      right += hit;
      loss -= logs[i * classes + label] ?? 0;
      // ((m-1)/M, m/M]; rounding may bring a probability slightly above 1.
      const bin = Math.min(bins - 1, Math.max(0, Math.ceil(confidence * bins) - 1));
      counts[bin] = (counts[bin] ?? 0) + 1;
      confidences[bin] = (confidences[bin] ?? 0) + confidence;
      hits[bin] = (hits[bin] ?? 0) + hit;
    });
    const calibration = Array.from(counts, (count, m) => ({
      lower: m / bins,
      upper: (m + 1) / bins,
      count,
      confidence: (confidences[m] ?? 0) / count,
      accuracy: (hits[m] ?? 0) / count,
    }));
    const gap = calibration.reduce(
      (sum, { count, confidence, accuracy }) => sum + (count === 0 ? 0 : count * Math.abs(accuracy - confidence)),
      0,
    );
    const metrics = { accuracy: right / examples, logLoss: loss / examples, calibrationError: gap / examples };
    return { metrics, named, calibration };
  }

  #disagreement(): number {
    const members = this.#named.length;
    if (members < 2) return 0;
    const votes = new Int32Array(this.#classes);
    let agreeing = 0;
    for (let i = 0; i < this.#labels.length; i++) {
      votes.fill(0);
      for (const named of this.#named) votes[named[i] ?? 0] = (votes[named[i] ?? 0] ?? 0) + 1;
      // Pairs of members that name the same class.
      for (const count of votes) agreeing += (count * (count - 1)) / 2;
    }
    const pairs = (members * (members - 1)) / 2;
    return 1 - agreeing / (pairs * this.#labels.length);
  }
}
