import assert from 'node:assert/strict';

/** Whether an error is one the boundary means to throw: an AnnealError with a stable code and a message. */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error) || error.name !== 'AnnealError' || error.message.length === 0) return false;
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' && /^E_[A-Z]+$/.test(code) && code !== 'E_INTERNAL';
}

export function expectRefusal(fn: () => unknown): void {
  try {
    fn();
  } catch (error) {
    assert.ok(isRefusal(error), `expected an AnnealError, received ${String(error)}`);
    return;
  }
  assert.fail('expected an AnnealError, but the call was accepted');
}
