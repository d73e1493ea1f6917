// The metric that a callback follows, and which of two values is better.
import { AnnealError } from '../errors.js';
import type { EpochEvent } from './events.js';

export type Mode = 'min' | 'max';

export interface MonitorOptions {
  /** A metric of the epoch event. Default val_loss. Names that begin with ema_ refer to the averaged weights. */
  readonly monitor?: string;
  /** Whether smaller or larger is better. Default: max when the name ends in accuracy, else min. */
  readonly mode?: Mode;
}

export interface Monitor {
  readonly name: string;
  readonly mode: Mode;
  /** @throws E_ARGUMENT when the event has no such metric */
  valueOf(event: EpochEvent): number;
  /** Whether `value` is better than `than` by more than `minDelta`; NaN never is. */
  better(value: number, than: number, minDelta?: number): boolean;
}

export function monitorOf(who: string, { monitor = 'val_loss', mode }: MonitorOptions): Monitor {
  const direction = mode ?? (monitor.endsWith('accuracy') ? 'max' : 'min');
  if (direction !== 'min' && direction !== 'max') {
    throw new AnnealError('E_ARGUMENT', `${who}: expected mode 'min' or 'max', received '${String(direction)}'`);
  }
  return {
    name: monitor,
    mode: direction,
    valueOf({ metrics }) {
      const value = metrics[monitor];
      if (value === undefined) {
        throw new AnnealError(
          'E_ARGUMENT',
          `${who}: expected monitor to be one of ${Object.keys(metrics).join(', ')}, received '${monitor}'`,
        );
      }
      return value;
    },
    better: (value, than, minDelta = 0) => (direction === 'min' ? value < than - minDelta : value > than + minDelta),
  };
}
