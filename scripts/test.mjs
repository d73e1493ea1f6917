// npm test [-- words]: setup, lint, type check, then every test/**/*.test.ts (whose path contains one of the words).
// The last line is `N passed, N failed, N skipped`; lint and the type check count as one test each.
//
//   ANNEAL_TEST_SLOW=1   also runs the slow tests (node-gyp build, sanitizers, cross-compiled NEON kernels)
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { log, main, root, run, since } from './lib/process.mjs';
import { setup } from './lib/setup.mjs';

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

async function runTests(files, totals) {
  const folder = mkdtempSync(join(tmpdir(), 'anneal-test-'));
  const totalsPath = join(folder, 'totals.json');
  try {
    const args = ['--import', 'tsx', '--test', '--test-concurrency=2', '--test-timeout=900000'];
    const reporter = ['--test-reporter=./scripts/lib/test_reporter.mjs', '--test-reporter-destination=stdout'];
    const env = { ...process.env, ANNEAL_TEST_TOTALS: totalsPath };
    const status = await run(process.execPath, [...args, ...reporter, ...files], { env });
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
  await check('lint', [bin('@biomejs/biome', 'biome'), 'check', '.'], totals);
  await check('type check', [bin('typescript', 'tsc'), '-p', 'tsconfig.json'], totals);
  const files = testFiles(words);
  log(`${files.length} test files`);
  if (files.length > 0) await runTests(files, totals);

  for (const { file, name, reason } of totals.skipped) {
    console.log(`skipped ${file}: ${name}: ${reason || 'no reason given'}`);
  }
  for (const { file, name } of totals.failures) console.log(`failed ${file}: ${name}`);
  console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped.length} skipped`);
  return totals.failed > 0 ? 1 : 0;
});
