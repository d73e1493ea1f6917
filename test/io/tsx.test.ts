// TypeScript of the user's where Node.js was not given a loader: the compiled command and its worker threads read it by tsx.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { isTypeScript, tsxModule } from '../../src/io/tsx.js';
import { readLog } from '../../src/search/index.js';
import { bundled } from '../support/bundled.js';
import { root, runChild } from '../support/child.js';

const folder = mkdtempSync(join(tmpdir(), 'anneal-tsx-'));
after(() => rmSync(folder, { recursive: true }));

const readsTypeScript = 'typescript' in process.features && Boolean(process.features.typescript);
// Not what runs this test.
const env = { NODE_OPTIONS: '' };

test('tsx is found from the script, whose ending tells its language', async () => {
  for (const path of ['a.ts', 'a.mts', 'file:///b/a.cts']) assert.ok(isTypeScript(path));
  for (const path of ['a.js', 'a.mjs', 'a.ts.txt', 'ats']) assert.ok(!isTypeScript(path));
  const script = join(root, 'test', 'some.ts');
  const found = tsxModule(script);
  assert.match(found ?? '', /^file:\/\/.*\/tsx\/dist\/esm\/api\/index\.mjs$/);
  assert.equal(tsxModule(pathToFileURL(script).href), found);
  const { register }: { register?: unknown } = await import(found ?? '');
  assert.equal(typeof register, 'function');
  assert.equal(tsxModule(join(folder, 'some.ts')), null);
  // A package of that name without what is wanted of it.
  mkdirSync(join(folder, 'old', 'node_modules', 'tsx'), { recursive: true });
  writeFileSync(join(folder, 'old', 'node_modules', 'tsx', 'package.json'), '{ "name": "tsx", "version": "1.0.0" }');
  assert.equal(tsxModule(join(folder, 'old', 'some.ts')), null);
});

test('the compiled command reads configurations in TypeScript, in worker threads too', async (t) => {
  const main = await bundled(['src/cli/main.ts'], t);
  const library = join(dirname(main), '..', 'index.js');
  const plain = (args: readonly string[]) => runChild(main, args, { tsx: false, env });
  const write = (path: string, text: string): string => {
    writeFileSync(path, text);
    return path;
  };
  const training = `import { data, nn, optim, train } from '${pathToFileURL(library).href}';
const x = { data: new Float32Array(8), shape: [4, 2], dtype: 'f32' } as const;
const y = { data: Int32Array.of(0, 1, 0, 1), shape: [4], dtype: 'i32' } as const;
const units: number = 2;
export default train.defineConfig({
  model: () => nn.sequential([nn.dense({ units })]),
  data: data.Dataset.fromArrays({ x, y }).batch(2),
  epochs: 2,
  optimizer: optim.sgd({ lr: 0.1 }),
});
`;
  // In the repository, where tsx is installed.
  const dir = join(folder, 'run');
  const config = write(join(dirname(main), 'mine.config.ts'), training);
  const trained = await plain(['train', config, '--dir', dir]);
  assert.equal(trained.code, 0, trained.stderr);
  assert.match(trained.stdout, /Stopped: completed, after 4 steps\./);
  assert.ok(readFileSync(join(dir, 'model.safetensors')).length > 0);

  const searching = `interface Values { readonly a: number }
export default {
  space: { a: { kind: 'categorical', choices: [3, 1, 2] } },
  objective: ({ a }: Values): number => 10 * a,
};
`;
  const log = join(folder, 'log.jsonl');
  const search = write(join(dirname(main), 'mine.search.mts'), searching);
  const searched = await plain(['search', search, '--log', log, '--workers', '1']);
  assert.equal(searched.code, 0, searched.stderr);
  assert.deepEqual(
    (await readLog(log)).trials.map(({ value }) => value),
    [30, 10, 20],
  );

  await t.test(
    'without tsx it says what is missing',
    { skip: readsTypeScript && 'this Node.js reads it' },
    async () => {
      const { code, stderr } = await plain(['train', write(join(folder, 'mine.config.ts'), training)]);
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^E_ARGUMENT train: expected a script that Node\.js v\S+ can run, .*mine\.config\.ts: .*tsx/,
      );
    },
  );
});
