// The dashboard's server: what it finds, how it follows runs as they go on, and what it refuses.
import assert from 'node:assert/strict';
import { appendFile, mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { summaryOf } from '../../src/report/dashboard/answers.js';
import { RunsFolder } from '../../src/report/dashboard/folder.js';
import { Dashboard } from '../../src/report/dashboard/server.js';
import type { MetricsEvent } from '../../src/report/log_event.js';
import { failure, temporaryFolder } from '../io/host.js';
import { epoch, start, step, stop } from './log.js';

const text = (events: readonly MetricsEvent[]): string => events.map((event) => `${JSON.stringify(event)}\n`).join('');

async function addRun(root: string, id: string, events: readonly MetricsEvent[], config?: object): Promise<string> {
  const folder = join(root, id);
  await mkdir(folder, { recursive: true });
  if (config !== undefined) await writeFile(join(folder, 'config.json'), JSON.stringify({ title: id, config }));
  await writeFile(join(folder, 'metrics.jsonl'), text(events));
  return join(folder, 'metrics.jsonl');
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A request as it is: fetch would tidy up the path and the Host. */
function get(port: number, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((done, failed) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => done({ status: response.statusCode ?? 0, body, headers: response.headers }));
    });
    sent.on('error', failed);
    sent.end();
  });
}

async function served(context: TestContext): Promise<{ root: string; dashboard: Dashboard }> {
  const root = await temporaryFolder(context);
  await addRun(root, 'a', [start, step(1), step(2), epoch(1)], { lr: 0.1, ema: { decay: 0.9 } });
  const dashboard = await Dashboard.start(root, { interval: 20 });
  context.after(() => dashboard.close());
  return { root, dashboard };
}

test('runs: found at any depth, with what their logs tell; links are not followed', async (context) => {
  const outside = await temporaryFolder(context);
  const secret = await addRun(outside, 'secret', [start, step(1)]);
  const root = await temporaryFolder(context);
  await addRun(root, 'a', [start, step(1), step(2), epoch(1), stop(2)], { lr: 0.1 });
  await addRun(root, 'b/c', [start, step(7)]);
  await addRun(root, '.hidden', [start]);
  await symlink(join(outside, 'secret'), join(root, 'link'));
  await mkdir(join(root, 'file'));
  await symlink(secret, join(root, 'file', 'metrics.jsonl'));
  await mkdir(join(root, 'config'));
  await writeFile(join(root, 'config', 'metrics.jsonl'), text([start]));
  await symlink(secret, join(root, 'config', 'config.json'));
  const { runs } = await RunsFolder.open(root);
  assert.deepEqual([...runs.keys()].sort(), ['a', 'b/c', 'config']);
  const a = runs.get('a');
  assert.deepEqual(
    [a?.description.title, a?.steps, a?.epochs, a?.stop?.reason, a?.error],
    ['a', 2, 1, 'completed', null],
  );
  assert.equal(runs.get('b/c')?.description.title, 'b/c');
  assert.match(runs.get('config')?.error ?? '', /ELOOP|symbolic/);
  await assert.rejects(
    RunsFolder.open(join(root, 'none')),
    failure('E_IO', /dashboard: expected a folder of runs, received .*none/),
  );
  await assert.rejects(RunsFolder.open(secret), failure('E_IO', /it is no folder/));
});

test('runs: a log that grows, is torn, cut and broken', async (context) => {
  const root = await temporaryFolder(context);
  const log = await addRun(root, 'a', [start, step(1)]);
  const folder = await RunsFolder.open(root);
  const losses = () => folder.runs.get('a')?.series.byName.get('loss')?.step;
  const changes = async () => (await folder.refresh()).changed.map(({ id }) => id);
  assert.deepEqual(losses(), [1]);
  assert.deepEqual(await changes(), []);
  const line = text([step(2)]);
  await appendFile(log, line.slice(0, 10));
  await changes();
  assert.deepEqual(losses(), [1], 'a torn line waits for its end');
  await appendFile(log, line.slice(10) + text([step(3), stop(3)]));
  assert.deepEqual(await changes(), ['a']);
  assert.deepEqual([losses(), folder.runs.get('a')?.stop?.reason], [[1, 2, 3], 'completed']);

  await truncate(log, text([start, step(1), step(2)]).length);
  await appendFile(log, text([step(3), step(4), step(5)]));
  await changes();
  assert.deepEqual([losses(), folder.runs.get('a')?.stop], [[1, 2, 3, 4, 5], null], 'resumed: cut, and longer again');

  await appendFile(log, 'no event\n');
  await changes();
  assert.match(folder.runs.get('a')?.error ?? '', /^a\/metrics\.jsonl:7: expected an event in JSON/);
  await writeFile(log, text([start, step(1)]));
  await changes();
  assert.deepEqual([losses(), folder.runs.get('a')?.error], [[1], null], 'begun anew');

  await addRun(root, 'b', [start]);
  assert.deepEqual(await changes(), ['b']);
  await rm(join(root, 'a'), { recursive: true });
  assert.deepEqual((await folder.refresh()).removed, ['a']);
});

test('runs: a config.json that is broken is named, the curves are there, and all is well once it is whole', async (context) => {
  const root = await temporaryFolder(context);
  await addRun(root, 'a', [start, step(1), stop(1)]);
  const config = join(root, 'a', 'config.json');
  await writeFile(config, '{ "title": "first", ');
  const folder = await RunsFolder.open(root);
  const run = folder.runs.get('a');
  assert.match(run?.error ?? '', /^a\/config\.json: expected the settings of a run/);
  assert.deepEqual([run?.series.byName.get('loss')?.step, run?.description.title], [[1], 'a']);
  await writeFile(config, '{ "title": "first" }');
  assert.deepEqual((await folder.refresh()).changed, [run]);
  assert.deepEqual([run?.error, run?.description.title], [null, 'first']);
});

test('runs: what one failed with, the bounds it was watched by, the best of values some of which are NaN', async (context) => {
  const root = await temporaryFolder(context);
  const validated = (index: number, value: number) =>
    epoch(index, { metrics: { val_loss: value, val_accuracy: 1 - value } });
  // The log writes NaN as stringifyJson does.
  const events = [start, step(3), validated(1, 2), validated(2, 0.25), validated(3, 0.5)];
  const log = await addRun(root, 'a', [...events, { ...stop(6, 'error'), error: 'E_IO: the disk is full' }]);
  await writeFile(
    log,
    (await readFile(log, 'utf8')).replace(
      '"val_loss":2,"val_accuracy":-1',
      '"val_loss":{"$number":"NaN"},"val_accuracy":{"$number":"NaN"}',
    ),
  );
  const callbacks = [{ name: 'updateRatio', settings: { upper: 0.1, lower: 0 } }];
  await writeFile(join(root, 'a', 'config.json'), JSON.stringify({ title: 'a', callbacks }));
  const run = (await RunsFolder.open(root)).runs.get('a');
  assert.ok(run);
  const { state, reason, error, from, steps, guides, metrics } = summaryOf(run, Date.now());
  assert.deepEqual([state, reason, error, from, steps], ['failed', 'error', 'E_IO: the disk is full', 3, 6]);
  assert.deepEqual(guides, { update_ratio: [0.1] });
  assert.deepEqual([metrics.best_val_loss, metrics.best_val_accuracy], [0.25, 0.75]);
});

test('server: the page and its parts, with headers that let nothing in from elsewhere', async (context) => {
  const { dashboard } = await served(context);
  const page = await get(dashboard.port, '/');
  assert.equal(page.status, 200);
  assert.match(page.body, /<title>anneal dashboard<\/title>/);
  assert.match(String(page.headers['content-security-policy']), /^default-src 'self';/);
  assert.equal(page.headers['set-cookie'], undefined);
  const parts = [...page.body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path = '']) => path);
  const modules = [...(await get(dashboard.port, '/main.js')).body.matchAll(/from '\.(\/[^']+)'/g)].map(
    ([, path = '']) => path,
  );
  for (const path of [...parts, ...modules, '/chart_parts.js'])
    assert.equal((await get(dashboard.port, path)).status, 200, path);
  assert.ok(parts.length >= 7 && modules.length >= 5);
  assert.equal(dashboard.runCount, 1);
});

test('server: nothing outside its list is a path', async (context) => {
  const { root, dashboard } = await served(context);
  await writeFile(join(root, 'secret.txt'), 'secret');
  const paths = [
    '/../../../../etc/passwd',
    '/..%2f..%2f..%2fetc%2fpasswd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/secret.txt',
    '/a/metrics.jsonl',
    '/assets/dashboard/index.html',
    '//etc/passwd',
    '/api/curves/../../secret.txt',
  ];
  for (const path of paths) {
    const { status, body } = await get(dashboard.port, path);
    assert.equal(status, 404, path);
    assert.equal(body, 'not found\n');
  }
  for (const id of ['../a', 'a/../a', `${root}/a`, '', 'b']) {
    const { status, body } = await get(dashboard.port, `/api/curves?name=loss&run=${encodeURIComponent(id)}`);
    assert.deepEqual([status, body], [400, `dashboard: expected a run, received '${id}'\n`]);
  }
});

test('server: other names of this machine, and other methods, are refused', async (context) => {
  const { root, dashboard } = await served(context);
  const { port } = dashboard;
  for (const Host of [
    'evil.example',
    `evil.example:${port}`,
    '127.0.0.1',
    `127.0.0.1:${port + 1}`,
    `127.0.0.1.evil.example:${port}`,
  ]) {
    for (const path of ['/', '/api/events', '/api/curves?run=a&name=loss']) {
      assert.equal((await get(port, path, { Host })).status, 403, `${Host}${path}`);
    }
  }
  for (const Host of [`localhost:${port}`, `127.0.0.1:${port}`])
    assert.equal((await get(port, '/', { Host })).status, 200);
  const before = await readFile(join(root, 'a', 'metrics.jsonl'), 'utf8');
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    assert.equal((await get(port, '/api/curves', {}, method)).status, 405);
  }
  assert.equal(await readFile(join(root, 'a', 'metrics.jsonl'), 'utf8'), before);
});

test('server: curves as they are, smoothed, within a range, on a grid', async (context) => {
  const { root, dashboard } = await served(context);
  const curves = async (query: string) => JSON.parse((await get(dashboard.port, `/api/curves?${query}`)).body);
  assert.deepEqual(await curves('run=a&name=loss&name=none&noisy=lr&smooth=0.5'), {
    grid: { from: 1, to: 2, buckets: 300 },
    curves: [
      { run: 'a', name: 'lr', raw: { x: [1, 2], y: [0.1, 0.1] } },
      { run: 'a', name: 'loss', raw: { x: [1, 2], y: [1, 0.5] } },
    ],
  });
  const value = (i: number): number => (i === 3000 ? 50 : 1);
  const long = Array.from({ length: 5000 }, (_, i) => step(i + 1, { metrics: { loss: value(i + 1) } }));
  await addRun(root, 'long', [start, ...long]);
  while (dashboard.runCount < 2) await sleep(10);
  const {
    curves: [whole],
  } = await curves('run=long&noisy=loss&smooth=0.9&buckets=50');
  assert.deepEqual([whole.raw.length, whole.smooth.length], [100, 100]);
  assert.equal(Math.max(...whole.raw), 50);
  assert.ok(Math.abs(Math.max(...whole.smooth) - 5.9) < 1e-3, '0.9 * 1 + 0.1 * 50');
  const {
    curves: [zoomed],
  } = await curves('run=long&name=loss&from=2999&to=3001');
  assert.deepEqual(zoomed.raw, { x: [2998, 2999, 3000, 3001, 3002], y: [1, 1, 50, 1, 1] });
  for (const query of ['buckets=5', 'smooth=1', 'from=x', 'to=']) {
    assert.equal((await get(dashboard.port, `/api/curves?run=a&name=loss&${query}`)).status, 400, query);
  }
});

test('server: events tell all runs at once, and then what is new', async (context) => {
  const { root, dashboard } = await served(context);
  const response = await fetch(`${dashboard.url}api/events`);
  assert.ok(response.body);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = '';
  const next = async () => {
    while (!pending.includes('\n\n')) pending += (await reader.read()).value ?? '';
    const end = pending.indexOf('\n\n');
    const [, data = ''] = /^event: runs\ndata: (.*)$/.exec(pending.slice(0, end)) ?? [];
    pending = pending.slice(end + 2);
    return JSON.parse(data);
  };
  const first = await next();
  assert.equal(first.all, true);
  const [run] = first.runs;
  assert.deepEqual([run.id, run.title, run.state, run.steps, run.epochs], ['a', 'a', 'running', 2, 1]);
  assert.deepEqual(run.config, { lr: '0.1', 'ema.decay': '0.9' });
  assert.deepEqual([run.metrics.loss, run.metrics.best_val_accuracy], [0.5, 0.5]);
  assert.deepEqual(
    first.charts.map(({ id }: { id: string }) => id),
    ['metric/loss', 'metric/accuracy', 'lr', 'throughput'],
  );
  await addRun(root, 'b', [start, step(1), stop(1, 'aborted')]);
  const second = await next();
  assert.deepEqual(
    second.runs.map(({ id, state, reason }: Record<string, string>) => [id, state, reason]),
    [['b', 'ended', 'aborted']],
  );
  await rm(join(root, 'b'), { recursive: true });
  let third = await next();
  while (third.removed.length === 0) third = await next();
  assert.deepEqual(third.removed, ['b']);
  await reader.cancel();
});

test('server: a port that is taken is an error that says so', async (context) => {
  const root = await temporaryFolder(context);
  const other = createServer();
  await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
  context.after(() => other.close());
  const address = other.address();
  assert.ok(typeof address === 'object' && address !== null);
  await assert.rejects(
    Dashboard.start(root, { port: address.port }),
    failure('E_IO', new RegExp(`dashboard: expected to listen on 127\\.0\\.0\\.1:${address.port} \\(.*EADDRINUSE`)),
  );
});
