// `anneal train` and `anneal resume`.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type ChildOptions, runChild } from '../support/child.js';

const folder = mkdtempSync(join(tmpdir(), 'anneal-train-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const config = 'test/cli/fixtures/small.config.ts';
const anneal = (args: readonly string[], options?: ChildOptions) => runChild('src/cli/main.ts', args, options);
const weights = (dir: string): Buffer => readFileSync(join(dir, 'model.safetensors'));

test('a configuration is trained in a folder of its own; interrupted and resumed it ends with the same bits', async () => {
  const whole = join(folder, 'whole');
  const { code, stdout, stderr } = await anneal(['train', config, '--dir', whole]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /Stopped: completed, after 36 steps\./);
  assert.match(stdout, /Best: val_loss 0\.\d+ after epoch \d, restored/);
  assert.deepEqual((await readdir(whole)).map((name) => name.replace(/tfevents.*/, 'tfevents')).sort(), [
    'checkpoints',
    'config.json',
    'events.out.tfevents',
    'metrics.jsonl',
    'model.safetensors',
    'report.html',
  ]);
  const described: unknown = JSON.parse(readFileSync(join(whole, 'config.json'), 'utf8'));
  assert.ok(typeof described === 'object' && described !== null && 'title' in described && 'config' in described);
  assert.equal(described.title, 'Small');

  const broken = join(folder, 'broken');
  let sent = false;
  const interrupted = await anneal(['train', config, '--dir', broken, 'slow'], {
    onOutput: (child) => {
      if (sent) return;
      sent = true;
      setTimeout(() => child.kill('SIGINT'), 400);
    },
  });
  assert.equal(interrupted.code, 130, interrupted.stderr);
  assert.match(interrupted.stdout, /Interrupted after \d+ steps\. Go on with: npx anneal resume .*broken/);
  const refused = await anneal(['train', config, '--dir', broken]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /E_ARGUMENT train: expected a folder without checkpoints, .*anneal resume/);
  const resumed = await anneal(['resume', broken]);
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.match(resumed.stdout, /Seed 3\./);
  assert.deepEqual(weights(broken), weights(whole));

  const other = join(folder, 'other');
  assert.equal((await anneal(['train', config, '--dir', other, '--seed', '4', '--epochs', '1'])).code, 0);
  assert.notDeepEqual(weights(other), weights(whole));
});

test('what cannot be trained or resumed is refused with a reason', async () => {
  const refused = async (args: readonly string[], message: RegExp): Promise<void> => {
    const { code, stderr } = await anneal(args);
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n\s+at /, 'no stack trace');
  };
  await refused(['train', join(folder, 'none.ts')], /E_IO train: expected a configuration, found no file/);
  const empty = join(folder, 'empty.mjs');
  writeFileSync(empty, 'export default { epochs: 1 };');
  await refused(['train', empty], /E_ARGUMENT .*empty\.mjs: expected a default export by train\.defineConfig/);
  await refused(['resume', folder], /E_ARGUMENT resume: expected a run that "anneal train" began/);

  const command = { source: 'a.ts', args: [], seed: 1, epochs: 1, device: 'cpu', allowSoftware: false };
  for (const [change, message] of [
    [{ device: 'gpu' }, /E_FORMAT .*config\.json, config\.command: expected device to be auto, cpu.*received 'gpu'/],
    [{ seed: '1' }, /E_FORMAT .*config\.json, config\.command: expected JSON with seed \(number\), received "1"/],
    [{ source: undefined }, /E_FORMAT .*: expected JSON with source \(string\), received none/],
    [{}, /E_ARGUMENT resume: expected a checkpoint in .*, found none/],
  ] as const) {
    const described = { title: 'Broken', config: { command: { ...command, ...change } } };
    writeFileSync(join(folder, 'config.json'), JSON.stringify(described));
    await refused(['resume', folder], message);
  }
});
