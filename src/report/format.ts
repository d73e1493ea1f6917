/** Numbers for people; '–' where there is no finite number. */
const none = '–';

/** 0.98765 as 98.77%. */
export function percent(fraction: number): string {
  return Number.isFinite(fraction) ? `${(100 * fraction).toFixed(2)}%` : none;
}

/** Whether a metric of this name is a share: accuracy, val_accuracy and so on. */
export const isShare = (name: string): boolean => /(^|_)accuracy$/.test(name);

/** A metric's value as its name asks for: accuracies in percent. */
export function metricValue(name: string, value: number | undefined): string {
  if (value === undefined) return none;
  return isShare(name) ? percent(value) : significant(value);
}

/** 12345.6 as 12,346. */
export function integer(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : none;
}

/** Four significant digits; exponents only below 1e-4 and from 1e6 on. NaN and infinities by name: they are news. */
export function significant(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 1e-4 || size >= 1e6) return value.toExponential(2);
  return size >= 1000 ? value.toFixed(0) : value.toPrecision(4);
}

/** Seconds as 850 ms, 4.2 s, 1:05 or 2:03:04. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return none;
  if (seconds < 0.9995) return `${Math.round(1000 * seconds)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  return clock(seconds);
}

/** Seconds as 0:07, 1:05 or 2:03:04. */
export function clock(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return none;
  const whole = Math.round(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
