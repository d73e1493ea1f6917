import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { AnnealError, type ErrorCode } from '../../src/errors.js';
import type { HostTensor } from '../../src/io/host_tensor.js';

/** A matcher for assert.throws and assert.rejects: an AnnealError with this code and message. */
export function failure(code: ErrorCode, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert(error instanceof AnnealError, `expected an AnnealError, received ${error}`);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

/** A folder that goes away with the test. */
export async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'anneal-test-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export function f32(values: readonly number[], shape: readonly number[] = [values.length]): HostTensor {
  return { data: Float32Array.from(values), shape, dtype: 'f32' };
}

export function i32(values: readonly number[], shape: readonly number[] = [values.length]): HostTensor {
  return { data: Int32Array.from(values), shape, dtype: 'i32' };
}

export function u8(values: readonly number[], shape: readonly number[] = [values.length]): HostTensor {
  return { data: Uint8Array.from(values), shape, dtype: 'u8' };
}

/** The pieces of a file as one block. */
export function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks));
}
