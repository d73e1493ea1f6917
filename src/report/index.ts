/** Reports: the log of a run, and its HTML report. */
export { renderHtmlReport, writeHtmlReport } from './html.js';
export {
  type MetricsEvent,
  MetricsLog,
  type MetricsLogOptions,
  readMetricsLog,
  reportOfEvents,
} from './metrics_log.js';
export type { EpochRecord, RunReport, StepRecord, UpdateRatioRecord } from './run_report.js';
