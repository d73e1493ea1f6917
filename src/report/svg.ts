// report.svg: the epochs of a run, or of several, as a picture that stands by itself.
import { type LineChartOptions, lineChart } from '../chart/index.js';
import { AnnealError } from '../errors.js';
import type { EpochEvent } from '../train/events.js';

type History = readonly Pick<EpochEvent, 'epoch' | 'metrics'>[];

export interface SvgOptions extends Pick<LineChartOptions, 'title' | 'yLabel' | 'marks' | 'width' | 'height'> {
  /** Names of metrics as in `history[i].metrics`: a line each, for each run. Epochs without one are left out. */
  readonly metrics: string | readonly string[];
}

/**
 * An SVG document with the metrics of a run over its epochs, which are counted from 1, or of several runs by name: light or dark as the
 * reader's system, no scripts, no fonts. @throws E_ARGUMENT where a run has none of them, or values that are not finite
 */
export function svg(history: History | Readonly<Record<string, History>>, options: SvgOptions): string {
  const { metrics, ...chart } = options;
  const names = typeof metrics === 'string' ? [metrics] : metrics;
  const runs = isHistory(history) ? [['', history] as const] : Object.entries(history);
  const lines = runs.flatMap(([run, epochs]) =>
    names.map((metric) => {
      const points = epochs.flatMap(({ epoch, metrics: { [metric]: value } }) =>
        value === undefined ? [] : [[epoch + 1, value] as const],
      );
      if (points.length === 0) {
        const known = Object.keys(epochs[0]?.metrics ?? {}).join(', ');
        throw new AnnealError('E_ARGUMENT', `svg: expected metrics of ${known || 'an epoch'}, received '${metric}'`);
      }
      return { name: [run, runs.length > 1 && names.length === 1 ? '' : metric].filter(Boolean).join(' '), points };
    }),
  );
  return lineChart(lines, { xLabel: 'epoch', ...chart });
}

function isHistory(history: History | Readonly<Record<string, History>>): history is History {
  return Array.isArray(history);
}
