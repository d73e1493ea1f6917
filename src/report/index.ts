/** Reports: the log of a run, and its HTML report. */
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
export { type RunDescription, type RunReport, readRun, reportOfEvents } from './run.js';
