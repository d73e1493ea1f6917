/** What is told about a run, in the units of charts: accuracies 0..1, times in seconds, rates in images a second. */
export interface StepRecord {
  /** Steps done, counted over the whole run. */
  readonly step: number;
  readonly loss: number;
  readonly accuracy?: number;
  readonly lr: number;
  readonly imagesPerSecond?: number;
}

export interface EpochRecord {
  /** Epochs done. */
  readonly epoch: number;
  /** Steps done at its end; without it the epochs are taken to be of equal length. */
  readonly step?: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly valLoss: number;
  readonly valAccuracy: number;
  /** The accuracy of the averaged (EMA) parameters. */
  readonly emaValAccuracy?: number;
  readonly lr: number;
  readonly seconds: number;
  readonly imagesPerSecond: number;
}

/** Norm of the update over norm of the weights, by layer. */
export interface UpdateRatioRecord {
  readonly step: number;
  readonly ratios: Readonly<Record<string, number>>;
}

export interface RunReport {
  readonly title: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly machine: Readonly<Record<string, unknown>>;
  readonly steps: readonly StepRecord[];
  readonly epochs: readonly EpochRecord[];
  readonly updateRatios: readonly UpdateRatioRecord[];
}
