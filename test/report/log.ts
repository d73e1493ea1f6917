// Events for tests of what is made of a run's log.
import type { MetricsEvent } from '../../src/report/log_event.js';

type Of<T extends MetricsEvent['type']> = Extract<MetricsEvent, { type: T }>;

export const start: Of<'start'> = { type: 'start', step: 0, time: 1000 };

export function step(index: number, more: Partial<Of<'step'>> = {}): Of<'step'> {
  return { type: 'step', step: index, time: 1000 + index, metrics: { loss: 1 / index }, lr: 0.1, ...more };
}

export function epoch(index: number, more: Partial<Of<'epoch'>> = {}): Of<'epoch'> {
  const metrics = { loss: 1, accuracy: 0.5, val_loss: 1, val_accuracy: 0.5 };
  return {
    type: 'epoch',
    epoch: index,
    step: 2 * index,
    time: 2000,
    metrics,
    lr: 0.1,
    seconds: 1,
    samplesPerSecond: 100,
    ...more,
  };
}

export function stop(at: number, reason = 'completed'): Of<'stop'> {
  return { type: 'stop', step: at, time: 3000, reason };
}
