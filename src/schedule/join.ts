import { AnnealError } from '../errors.js';
import { isSchedule, makeSchedule, type Schedule } from './schedule.js';

export interface JoinOptions {
  /** The step at which each part but the first begins. Default: parts follow each other by their lengths. */
  readonly boundaries?: readonly number[];
}

/** Where each part but the first begins when parts follow each other. */
function boundariesOf(parts: readonly Schedule[]): number[] {
  let begin = 0;
  return parts.slice(0, -1).map((part, i) => {
    if (!Number.isFinite(part.length)) {
      throw new AnnealError(
        'E_ARGUMENT',
        `join: expected every part but the last to have an end, received an endless ${part.kind} as part ${i}; pass boundaries`,
      );
    }
    begin += part.length;
    return begin;
  });
}

/**
 * Schedules in sequence: part i covers the steps from boundary i to the next and counts them from 0. The last part goes
 * on, and holds its last value if it has an end. `join([warmup({ to, steps }), cosine({ from, steps: T })])` takes
 * steps + T steps. PyTorch's SequentialLR. @throws E_ARGUMENT
 */
export function join(parts: readonly Schedule[], options: JoinOptions = {}): Schedule {
  if (!Array.isArray(parts) || parts.length === 0 || !parts.every(isSchedule)) {
    throw new AnnealError('E_ARGUMENT', 'join: expected an array of one or more schedules');
  }
  const members: readonly Schedule[] = [...parts];
  const boundaries = options.boundaries === undefined ? boundariesOf(members) : [...options.boundaries];
  const ascending = boundaries.every((b, i) => Number.isFinite(b) && b > (boundaries[i - 1] ?? 0));
  if (boundaries.length !== members.length - 1 || !ascending) {
    throw new AnnealError(
      'E_ARGUMENT',
      `join: expected ${members.length - 1} ascending boundaries for ${members.length} parts, received [${boundaries}]`,
    );
  }
  const lastBegin = boundaries[boundaries.length - 1] ?? 0;
  const last = members[members.length - 1];
  const length = lastBegin + (last?.length ?? 0);
  const params = { parts: members.map((part) => part.toJSON()), boundaries };
  return makeSchedule('join', params, length, (t) => {
    const later = boundaries.findIndex((boundary) => t < boundary);
    const index = later < 0 ? boundaries.length : later;
    return members[index]?.at(t - (boundaries[index - 1] ?? 0)) ?? Number.NaN;
  });
}
