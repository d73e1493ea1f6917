import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type AtomicFile, type AtomicFileSystem, nodeFileSystem, writeFileAtomic } from '../../src/io/atomic.js';
import { failure, temporaryFolder } from './host.js';

type Call = 'open' | 'write' | 'sync' | 'close' | 'rename';

/** The real file system, except that the n-th call of one kind fails as a full disk does; notes the order of calls. */
function failing(kind?: Call, turn = 1): { fs: AtomicFileSystem; calls: string[] } {
  const calls: string[] = [];
  let seen = 0;
  const step = (call: Call, note: string = call): void => {
    calls.push(note);
    if (call !== kind) return;
    seen += 1;
    if (seen === turn) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  };
  const fs: AtomicFileSystem = {
    async open(path, flags) {
      step('open', `open ${flags}`);
      const file = await nodeFileSystem.open(path, flags);
      const wrapped: AtomicFile = {
        async write(bytes) {
          step('write');
          return file.write(bytes.subarray(0, 3)); // short writes, as the system may do
        },
        async sync() {
          step('sync');
          await file.sync();
        },
        async close() {
          await file.close();
          step('close');
        },
      };
      return wrapped;
    },
    async rename(from, to) {
      step('rename');
      await nodeFileSystem.rename(from, to);
    },
    async unlink(path) {
      calls.push('unlink');
      await nodeFileSystem.unlink(path);
    },
  };
  return { fs, calls };
}

test('atomic: replaces the file, synced before the rename and the folder after it', async (context) => {
  const folder = await temporaryFolder(context);
  const path = join(folder, 'state.json');
  await writeFile(path, 'old');
  const { fs, calls } = failing();
  await writeFileAtomic(path, ['héll', Uint8Array.of(0x6f), ''], fs);
  assert.equal(await readFile(path, 'utf8'), 'héllo');
  assert.deepEqual(await readdir(folder), ['state.json']);
  assert.deepEqual(
    calls.filter((call, index) => call !== calls[index - 1]),
    ['open wx', 'write', 'sync', 'close', 'rename', 'open r', 'sync', 'close'],
  );
});

const failures: [Call, number][] = [
  ['open', 1],
  ['write', 1],
  ['write', 2],
  ['sync', 1],
  ['close', 1],
  ['rename', 1],
];
for (const [kind, turn] of failures) {
  test(`atomic: ENOSPC in ${kind} ${turn} leaves the old file and no other`, async (context) => {
    const folder = await temporaryFolder(context);
    const path = join(folder, 'state.json');
    await writeFile(path, 'old');
    await assert.rejects(
      writeFileAtomic(path, ['new content'], failing(kind, turn).fs),
      failure('E_IO', /state\.json: could not be written \(ENOSPC/),
    );
    assert.equal(await readFile(path, 'utf8'), 'old');
    assert.deepEqual(await readdir(folder), ['state.json']);
  });
}

test('atomic: an error of the source passes through, and nothing stays behind', async (context) => {
  const folder = await temporaryFolder(context);
  async function* source(): AsyncGenerator<string> {
    yield 'half';
    throw new RangeError('source');
  }
  await assert.rejects(writeFileAtomic(join(folder, 'a'), source()), RangeError);
  assert.deepEqual(await readdir(folder), []);
});

test('atomic: a folder that does not exist', async (context) => {
  const folder = await temporaryFolder(context);
  await assert.rejects(writeFileAtomic(join(folder, 'none', 'a'), ['x']), failure('E_IO', /ENOENT/));
});
