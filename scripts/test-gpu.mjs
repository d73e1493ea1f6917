// npm run test:gpu [-- OP...]: the CUDA tests on this machine's own driver and GPU, where `npm test` runs them on an emulated one: every
// op's case table (or only those named), the device as its users meet it, tensors stored as f16, training; the table again under compute-sanitizer's memcheck
// and racecheck, the others under memcheck, where compute-sanitizer is installed. Exit status 1 where no GPU answers or something is wrong.
//
//   --driver FILE      another driver library, as the emulated one
//   --no-sanitizer     without compute-sanitizer
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Failure, log, main, run, since, which } from './lib/process.mjs';
import { setup } from './lib/setup.mjs';

const conformance = join('test', 'cuda', 'conformance_body.ts');
const backend = join('test', 'cuda', 'backend_body.ts');
const half = join('test', 'cuda', 'half_body.ts');
const training = join('test', 'devices', 'training_body.ts');
/** What has kernels on the matrix units. */
const productOps = ['sgemm', 'conv2d', 'conv2d_backward_data', 'conv2d_backward_weight'];

/** Opens the GPU, and says what it is and whether it computes in other precisions. */
const probe = `
import { createCudaBackend } from './src/backend/cuda.ts';
try {
  const { detail, cuda } = createCudaBackend('cuda:0');
  process.stdout.write(JSON.stringify({ detail, capability: cuda.about.computeCapability }));
} catch (error) {
  process.stdout.write(JSON.stringify({ reason: error.message }));
}
`;

function sanitizer() {
  const installed = '/usr/local/cuda/bin/compute-sanitizer';
  return which('compute-sanitizer') ?? (existsSync(installed) ? installed : null);
}

async function collect(command, args, env) {
  let text = '';
  const status = await run(command, args, {
    env,
    onStdout: (piece) => {
      text += piece;
    },
  });
  return { status, text };
}

/** What is wrong with each op, from what the table's program prints; compute-sanitizer prints lines of its own between. */
function wrongOps(text) {
  const ours = text.split('\n').filter((line) => !line.startsWith('====='));
  const { wrong } = JSON.parse(ours.join('\n'));
  const bad = Object.entries(wrong).filter(([, lines]) => lines.length > 0);
  for (const [op, lines] of bad) for (const line of lines.slice(0, 20)) console.log(`${op}: ${line}`);
  return { ops: Object.keys(wrong).length, bad: bad.map(([op]) => op) };
}

await main(async () => {
  const { values, positionals } = parseArgs({
    options: { driver: { type: 'string' }, 'no-sanitizer': { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  await setup({ typescript: false });
  const env = { ...process.env, ANNEAL_CUDA_LIBRARY: values.driver ?? '', NODE_TEST_CONTEXT: '' };
  const node = ['--import', 'tsx'];
  const { text: seen } = await collect(process.execPath, [...node, '--input-type=module', '-e', probe], env);
  const { reason, detail, capability } = JSON.parse(seen);
  if (reason !== undefined) throw new Failure(`no GPU answers, so there is nothing to test on: ${reason}`);
  log(detail);

  const failures = [];
  const step = async (name, file, args, more = {}, tool = []) => {
    const start = performance.now();
    log(`${name} ...`);
    const [command, ...first] = [...tool, process.execPath, ...node, '--test-reporter=tap', file, ...args];
    const { status, text } = await collect(command, first, { ...env, ...more });
    if (status > 128) process.exit(status);
    let what = status === 0 ? '' : `status ${status}`;
    if (tool.length > 0 && status !== 0) process.stdout.write(text);
    if (file !== conformance) {
      if (tool.length === 0 && (status !== 0 || !/^# pass [1-9]/m.test(text))) process.stdout.write(text);
      if (what === '' && !/^# pass [1-9]/m.test(text)) what = 'no test passed';
    } else if (what === '') {
      const { ops, bad } = wrongOps(text);
      if (bad.length > 0) what = `wrong: ${bad.join(', ')}`;
      else if (ops === 0) what = 'no op has such a name';
    }
    if (what !== '') failures.push(`${name}: ${what}`);
    log(`${name}: ${what === '' ? 'ok' : what} in ${since(start)}`);
  };

  await step('case tables', conformance, positionals);
  const products = productOps.filter((op) => positionals.length === 0 || positionals.includes(op));
  if (capability >= 80 && products.length > 0)
    for (const precision of ['tf32', 'bf16'])
      await step(`products in ${precision}`, conformance, products, { ANNEAL_TEST_PRECISION: precision });
  if (positionals.length === 0) {
    await step('the device as its users meet it', backend, []);
    await step("the same without the driver's memory pool", backend, [], { ANNEAL_CUDA_NO_POOL: '1' });
    await step('tensors stored as f16', half, []);
    await step('training', training, [], { ANNEAL_TEST_DEVICE: 'cuda' });
  }
  const checker = values['no-sanitizer'] ? null : sanitizer();
  if (checker === null) log('without compute-sanitizer (the CUDA toolkit brings it)');
  else {
    const under = (tool) => [checker, '--tool', tool, '--error-exitcode', '9', '--target-processes', 'all'];
    await step('case tables under memcheck', conformance, positionals, {}, under('memcheck'));
    await step('case tables under racecheck', conformance, positionals, {}, under('racecheck'));
    if (positionals.length === 0) {
      await step('the device under memcheck', backend, [], {}, under('memcheck'));
      await step('tensors stored as f16 under memcheck', half, [], {}, under('memcheck'));
      await step('training under memcheck', training, [], { ANNEAL_TEST_DEVICE: 'cuda' }, under('memcheck'));
    }
  }
  for (const failure of failures) console.log(`failed ${failure}`);
  console.log(`${failures.length === 0 ? 'all passed' : `${failures.length} failed`} on ${detail}`);
  return failures.length === 0 ? 0 : 1;
});
