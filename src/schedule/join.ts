import { ascending, defineKind, optional, parts as partsField, refuse } from './kind.js';
import type { Schedule } from './schedule.js';

export interface JoinOptions {
  /** The step at which each part but the first begins. Default: parts follow each other by their lengths. */
  readonly boundaries?: readonly number[];
}

/** Where each part but the first begins when parts follow each other. */
function boundariesOf(parts: readonly Schedule[]): number[] {
  let begin = 0;
  return parts.slice(0, -1).map((part, i) => {
    if (!Number.isFinite(part.length))
      refuse('join', 'every part but the last to have an end, or boundaries', `an endless ${part.kind} as part ${i}`);
    begin += part.length;
    return begin;
  });
}

export const joinKind = defineKind(
  'join',
  'schedules one after another, each counting from 0',
  { parts: partsField('the schedules'), boundaries: optional(ascending('where each but the first begins')) },
  ({ parts, boundaries: given }) => {
    const boundaries = given ?? boundariesOf(parts);
    if (boundaries.length !== parts.length - 1)
      refuse('join', `${parts.length - 1} boundaries for ${parts.length} parts`, boundaries);
    const length = (boundaries[boundaries.length - 1] ?? 0) + (parts[parts.length - 1]?.length ?? 0);
    const at = (t: number): number => {
      const later = boundaries.findIndex((boundary) => t < boundary);
      const index = later < 0 ? boundaries.length : later;
      return parts[index]?.at(t - (boundaries[index - 1] ?? 0)) ?? Number.NaN;
    };
    return { length, at };
  },
);

/**
 * Schedules in sequence: part i covers the steps from boundary i to the next and counts them from 0. The last part goes
 * on, and holds its last value if it has an end. `join([warmup({ to, steps }), cosine({ from, steps: T })])` takes
 * steps + T steps. PyTorch's SequentialLR. @throws E_ARGUMENT
 */
export function join(parts: readonly Schedule[], options: JoinOptions = {}): Schedule {
  return joinKind.make({ parts, ...options });
}
