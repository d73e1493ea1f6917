import assert from 'node:assert/strict';
import { AnnealError, type ErrorCode } from '../../src/errors.js';

function check(error: unknown, code: ErrorCode, message: RegExp): true {
  assert.ok(error instanceof AnnealError, `expected an AnnealError, received ${String(error)}`);
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  return true;
}

/** The call throws an AnnealError with this code and message. */
export function refuses(call: () => unknown, code: ErrorCode, message = /expected/): void {
  assert.throws(call, (error: unknown) => check(error, code, message));
}

/** The promise rejects with an AnnealError with this code and message. */
export async function rejects(promise: Promise<unknown>, code: ErrorCode, message = /expected/): Promise<void> {
  await assert.rejects(promise, (error: unknown) => check(error, code, message));
}
