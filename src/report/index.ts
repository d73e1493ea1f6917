/** Reports: callbacks that show and record a run; its log, HTML report, and TensorBoard's event files. */
export { type Histogram, histogramOf } from './histogram.js';
export { renderHtmlReport, writeHtmlReport } from './html.js';
export type {
  EpochRecord,
  MemoryRecord,
  MetricsEvent,
  MetricsRecord,
  StartRecord,
  StepRecord,
  StopRecord,
  WarningRecord,
} from './log_event.js';
export { MetricsLog, type MetricsLogOptions, readMetricsLog } from './metrics_log.js';
export type { Image } from './png.js';
export { type ProgressOptions, type ProgressStream, progress } from './progress.js';
export { type Recorder, type RecordOptions, record } from './record.js';
export { type CallbackDescription, type RunDescription, type RunReport, readRun, reportOfEvents } from './run.js';
export { type SvgOptions, svg } from './svg.js';
export { EventFile, type EventFileOptions, type SummaryValue } from './tensorboard.js';
