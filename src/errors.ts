/**
 * What went wrong, as a stable name to branch on. The message says what was expected and what was received.
 *
 * | code | meaning |
 * |---|---|
 * | E_SHAPE | shapes of tensors do not fit the operation or each other |
 * | E_DTYPE | an element type the operation does not take |
 * | E_DEVICE | a device is missing, or tensors are on different devices |
 * | E_DISPOSED | something was used after it was disposed |
 * | E_OOM | the device or the host has not enough memory |
 * | E_NONFINITE | NaN or infinity where training cannot go on with it |
 * | E_FORMAT | a file or buffer does not follow its format |
 * | E_RANGE | a number outside the range it must lie in |
 * | E_ARGUMENT | an argument of the wrong kind |
 * | E_INTERNAL | a fault of the library itself |
 * | E_IO | the file system refused |
 * | E_ABORTED | the caller's signal stopped the work |
 */
export type ErrorCode =
  | 'E_SHAPE'
  | 'E_DTYPE'
  | 'E_DEVICE'
  | 'E_DISPOSED'
  | 'E_OOM'
  | 'E_NONFINITE'
  | 'E_FORMAT'
  | 'E_RANGE'
  | 'E_ARGUMENT'
  | 'E_INTERNAL'
  | 'E_IO'
  | 'E_ABORTED';

/** Every error the library raises. Message form: `sgemm: expected K of b to be 128, received 64 (a [32,128], b [64,10])`. */
export class AnnealError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'AnnealError';
    this.code = code;
  }
}

/** What something thrown says: a part of a message. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The same with where it was thrown, for logs. */
export function traceOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}

const codes: ReadonlySet<unknown> = new Set<ErrorCode>([
  'E_SHAPE',
  'E_DTYPE',
  'E_DEVICE',
  'E_DISPOSED',
  'E_OOM',
  'E_NONFINITE',
  'E_FORMAT',
  'E_RANGE',
  'E_ARGUMENT',
  'E_INTERNAL',
  'E_IO',
  'E_ABORTED',
]);

export function isErrorCode(value: unknown): value is ErrorCode {
  return codes.has(value);
}
