// Ensembles: `ensemble([...])`, with what makes members beside it.
import { ensemble as create } from './ensemble.js';
import { snapshots } from './snapshots.js';

export type { Ensemble, EnsembleEvaluateOptions, EnsembleOptions, WeightsMember } from './ensemble.js';
export type { Snapshots, SnapshotsOptions } from './snapshots.js';
export type { CalibrationBin, EnsembleReport, ProbabilityMetrics } from './tally.js';

export const ensemble = Object.assign(create, { snapshots });
