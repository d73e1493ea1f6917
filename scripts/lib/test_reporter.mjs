// A node:test reporter: one line a file, every failure in full, every skip with its reason. The totals go as JSON to the
// file named by ANNEAL_TEST_TOTALS, for scripts/test.mjs.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { inspect } from 'node:util';

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

function describe(error) {
  const cause = error?.cause ?? error;
  if (cause instanceof Error || typeof cause?.stack === 'string') return cause.stack;
  return typeof cause === 'string' ? cause : inspect(cause);
}

export default async function* report(source) {
  const totals = { passed: 0, failed: 0, skipped: [], failures: [] };
  let file;
  let inFile = { passed: 0, failed: 0, skipped: 0, ms: 0 };
  const parents = [];

  const flush = () => {
    const { passed, failed, skipped, ms } = inFile;
    inFile = { passed: 0, failed: 0, skipped: 0, ms: 0 };
    if (!file || passed + failed + skipped === 0) return '';
    const counts = [`${passed} passed`, failed && `${failed} failed`, skipped && `${skipped} skipped`];
    return `${failed ? 'FAIL' : 'ok  '} ${file} (${counts.filter(Boolean).join(', ')}, ${seconds(ms)})\n`;
  };

  for await (const { type, data } of source) {
    if (type === 'test:stderr' || type === 'test:stdout') {
      yield data.message;
      continue;
    }
    // Others come when they happen, also from a file that runs beside the one whose turn it is.
    if (type !== 'test:start' && type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.file && relative(process.cwd(), data.file) !== file) {
      yield flush();
      file = relative(process.cwd(), data.file);
    }
    if (type === 'test:start') {
      parents.length = data.nesting;
      parents.push(data.name);
      continue;
    }
    const name = [...parents.slice(0, data.nesting), data.name].join(' > ');
    if (data.nesting === 0) inFile.ms += data.details.duration_ms;
    const skip = data.skip !== undefined && data.skip !== false;
    if (type === 'test:pass' && skip) {
      totals.skipped.push({ file, name, reason: typeof data.skip === 'string' ? data.skip : '' });
      inFile.skipped++;
    } else if (type === 'test:pass') {
      if (data.details.type === 'suite') continue;
      totals.passed++;
      inFile.passed++;
    } else {
      // A parent fails because a child did: the child has been reported.
      if (data.details.error?.failureType === 'subtestsFailed') continue;
      const detail = describe(data.details.error);
      totals.failed++;
      totals.failures.push({ file, name });
      inFile.failed++;
      yield `\nnot ok ${file}: ${name}\n${detail.replace(/^/gm, '    ')}\n\n`;
    }
  }
  yield flush();
  const path = process.env.ANNEAL_TEST_TOTALS;
  if (path) writeFileSync(path, JSON.stringify(totals));
}
