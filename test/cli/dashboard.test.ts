// `anneal dashboard` in a process of its own: it serves until Ctrl-C, and says what is wrong where it cannot.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../io/host.js';
import { start } from '../report/log.js';
import { runChild } from '../support/child.js';

test('anneal dashboard: serves the runs of a folder until Ctrl-C', async (context) => {
  const folder = await temporaryFolder(context);
  await mkdir(join(folder, 'a'));
  await writeFile(join(folder, 'a', 'metrics.jsonl'), `${JSON.stringify(start)}\n`);
  let page: Promise<string> | undefined;
  const { code, stdout, stderr } = await runChild('src/cli/main.ts', ['dashboard', folder, '--port', '0'], {
    onOutput(child, output) {
      const [, url] = /\(1 run\): (http:\/\/127\.0\.0\.1:\d+\/)\n/.exec(output.stdout) ?? [];
      if (url === undefined || page !== undefined) return;
      page = fetch(url).then((response) => response.text());
      page.finally(() => child.kill('SIGINT'));
    },
  });
  assert.equal(code, 0, stderr);
  assert.match((await page) ?? stdout, /<title>anneal dashboard<\/title>/);
});

test('anneal dashboard: a folder that is not there, and a port that is none', async (context) => {
  const folder = await temporaryFolder(context);
  const missing = await runChild('src/cli/main.ts', ['dashboard', join(folder, 'none')]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^E_IO dashboard: expected a folder of runs, received .*none \(.*no such file/);
  assert.doesNotMatch(missing.stderr, /\n\s+at /, 'no stack trace');
  for (const port of ['http', '70000']) {
    const wrong = await runChild('src/cli/main.ts', ['dashboard', folder, '--port', port]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /--port.*integer|expected a port/);
    assert.doesNotMatch(wrong.stderr, /\n\s+at /, 'no stack trace');
  }
});
