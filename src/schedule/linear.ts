import { defineKind, finite, positive } from './kind.js';
import type { Schedule } from './schedule.js';

export interface LinearOptions {
  /** The value at step 0. */
  readonly from: number;
  /** The value from step `steps` on. Default 0. */
  readonly end?: number;
  readonly steps: number;
}

export const linearKind = defineKind(
  'linear',
  'a straight line from one value to another',
  {
    from: finite('the value at step 0'),
    end: finite('the value from its last step on', 0),
    steps: positive('its length'),
  },
  ({ from, end, steps }) => ({ length: steps, at: (t) => from * (1 - t / steps) + end * (t / steps) }),
);

/** from + (end - from) * t / steps, then end. With end = 0: from * (1 - t / steps). PyTorch's LinearLR. @throws E_ARGUMENT */
export function linear(options: LinearOptions): Schedule {
  return linearKind.make(options);
}
