// npm test [-- words]: setup, lint, type check, then every test/**/*.test.ts (whose path contains one of the words).
// The last line is `N passed, N failed, N skipped`; lint and the type check count as one test each.
//
//   ANNEAL_TEST_SLOW=1   also runs the slow tests (node-gyp build, sanitizers, cross-compiled NEON kernels)
//
// The slow tests, test/package/native/, take minutes of compiler: they run beside all others, in the processor
// time that those leave over. Folders of tests that keep one core busy run a file for each core; the others, whose
// kernels have a thread for each core, or which watch time and memory, half as many.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { log, main, root, run, since } from './lib/process.mjs';
import { installDrivers, setup } from './lib/setup.mjs';

const bin = (name, path) => join(root, 'node_modules', name, 'bin', path);

function testFiles(words) {
  return readdirSync(join(root, 'test'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .sort();
}

async function check(name, args, totals) {
  const start = performance.now();
  log(`${name} ...`);
  const status = await run(process.execPath, args);
  if (status > 128) process.exit(status);
  if (status === 0) totals.passed++;
  else {
    totals.failed++;
    totals.failures.push({ file: name, name: 'see above' });
  }
  log(`${name}: ${status === 0 ? 'ok' : 'failed'} in ${since(start)}`);
}

// Whose work is done by JavaScript, by processes being started, or by the emulated CUDA device's one thread.
const oneThreaded = [
  'browser',
  'cli',
  'compare',
  'cuda',
  'data',
  'io',
  'package',
  'random',
  'report',
  'schedule',
  'structure',
];

const buildsNatively = (path) => path.startsWith(join('test', 'package', 'native') + sep);
const hasOneThread = (path) => oneThreaded.includes(path.split(sep)[1]);

async function runTests(files, totals, { concurrency, idle }) {
  if (files.length === 0) return;
  const folder = mkdtempSync(join(tmpdir(), 'anneal-test-'));
  const totalsPath = join(folder, 'totals.json');
  try {
    const args = ['--import', 'tsx', '--test', `--test-concurrency=${concurrency}`, '--test-timeout=1800000'];
    const reporter = ['--test-reporter=./scripts/lib/test_reporter.mjs', '--test-reporter-destination=stdout'];
    const env = { ...process.env, ANNEAL_TEST_TOTALS: totalsPath };
    const status = await run(process.execPath, [...args, ...reporter, ...files], { env, idle });
    if (status > 128) process.exit(status);
    const found = existsSync(totalsPath) ? JSON.parse(readFileSync(totalsPath, 'utf8')) : null;
    totals.passed += found?.passed ?? 0;
    totals.failed += found?.failed ?? 0;
    totals.failures.push(...(found?.failures ?? []));
    totals.skipped.push(...(found?.skipped ?? []));
    if (!found || (status !== 0 && found.failed === 0)) {
      totals.failed++;
      totals.failures.push({ file: 'node --test', name: `ended with status ${status}` });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main(async () => {
  const words = process.argv.slice(2);
  const totals = { passed: 0, failed: 0, skipped: [], failures: [] };
  await setup();
  await installDrivers();
  const files = testFiles(words);
  const native = runTests(files.filter(buildsNatively), totals, { concurrency: 2, idle: true });
  await check('lint', [bin('@biomejs/biome', 'biome'), 'check', '.'], totals);
  await check('type check', [bin('typescript', 'tsc'), '-p', 'tsconfig.json'], totals);
  log(`${files.length} test files`);
  // Kernels run on as many threads as there are cores: files side by side would wait for each other's threads.
  const cores = availableParallelism();
  const light = files.filter((path) => !buildsNatively(path));
  await runTests(light.filter(hasOneThread), totals, { concurrency: cores, idle: false });
  await runTests(
    light.filter((path) => !hasOneThread(path)),
    totals,
    { concurrency: Math.max(1, cores >> 1), idle: false },
  );
  await native;

  for (const { file, name, reason } of totals.skipped) {
    console.log(`skipped ${file}: ${name}: ${reason || 'no reason given'}`);
  }
  for (const { file, name } of totals.failures) console.log(`failed ${file}: ${name}`);
  console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped.length} skipped`);
  return totals.failed > 0 ? 1 : 0;
});
