import { defineKind, finite, inner as innerField } from './kind.js';
import type { Schedule } from './schedule.js';

export const scaleKind = defineKind(
  'scale',
  'a schedule times a factor',
  { inner: innerField('the schedule'), factor: finite('the factor') },
  ({ inner, factor }) => ({ length: inner.length, at: (t) => factor * inner.at(t) }),
);

/** factor * inner(t). @throws E_ARGUMENT */
export function scale(inner: Schedule, factor: number): Schedule {
  return scaleKind.make({ inner, factor });
}
