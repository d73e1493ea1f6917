/**
 * The dashboard's server: on this machine only, reading only. Requests name runs and files of the page by what the server has
 * found or knows; no part of a request becomes a path.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { AnnealError, reasonOf } from '../../errors.js';
import { asset, uplotFile } from '../page.js';
import { chartsOfRuns, curvesOf, parseCurvesQuery, stateOf, summaryOf } from './answers.js';
import { RunsFolder } from './folder.js';

const host = '127.0.0.1';

export interface DashboardOptions {
  /** Default 0: one that is free. */
  readonly port?: number;
  /** Milliseconds between looks at the folder. Default 1000. */
  readonly interval?: number;
}

const types = { html: 'text/html; charset=utf-8', css: 'text/css', js: 'text/javascript' } as const;

type PageFile = readonly [type: keyof typeof types, path: string];

const scripts = ['main', 'state', 'run_list', 'chart', 'chart_parts', 'table', 'keys', 'dom'];

/** Everything that is served as a file, by path. */
const files: ReadonlyMap<string, PageFile> = new Map<string, PageFile>([
  ['/', ['html', asset('dashboard/index.html')]],
  ['/uplot.css', ['css', uplotFile('uPlot.min.css')]],
  ['/page.css', ['css', asset('page/page.css')]],
  ['/dashboard.css', ['css', asset('dashboard/dashboard.css')]],
  ['/uplot.js', ['js', uplotFile('uPlot.iife.min.js')]],
  ['/theme.js', ['js', asset('page/theme.js')]],
  ['/plot.js', ['js', asset('page/plot.js')]],
  ...scripts.map((name): [string, PageFile] => [`/${name}.js`, ['js', asset(`dashboard/${name}.js`)]]),
]);

const headers = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
} as const;

export class Dashboard implements AsyncDisposable {
  private readonly listeners = new Set<ServerResponse>();
  private readonly ending = new AbortController();
  private watching: Promise<void> = Promise.resolve();

  private constructor(
    private readonly folder: string,
    private readonly runs: RunsFolder,
    private readonly server: Server,
    readonly port: number,
  ) {}

  /** @throws AnnealError E_IO when there is no such folder or the port is taken, E_ARGUMENT when it is none. */
  static async start(folder: string, { port = 0, interval = 1000 }: DashboardOptions = {}): Promise<Dashboard> {
    if (!Number.isInteger(port) || port < 0 || port > 65535)
      throw new AnnealError('E_ARGUMENT', `dashboard: expected a port up to 65535, received ${port}`);
    const runs = await RunsFolder.open(folder);
    const server = createServer({ maxHeaderSize: 1 << 20 }); // a request may name hundreds of runs
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => {
        const message = `dashboard: expected to listen on ${host}:${port} (${reasonOf(cause)})`;
        reject(new AnnealError('E_IO', message, { cause }));
      });
      server.listen(port, host, resolve);
    });
    const address = server.address();
    const dashboard = new Dashboard(
      folder,
      runs,
      server,
      typeof address === 'object' && address !== null ? address.port : port,
    );
    server.on('request', (request, response) => {
      dashboard.answer(request, response).catch((error: unknown) => {
        const wrong = error instanceof AnnealError && error.code === 'E_ARGUMENT';
        if (!response.headersSent) response.writeHead(wrong ? 400 : 500, { ...headers, 'Content-Type': 'text/plain' });
        response.end(`${reasonOf(error)}\n`);
      });
    });
    dashboard.watching = dashboard.watch(interval);
    return dashboard;
  }

  get url(): string {
    return `http://${host}:${this.port}/`;
  }

  /** Runs found so far. */
  get runCount(): number {
    return this.runs.runs.size;
  }

  async close(): Promise<void> {
    this.ending.abort();
    for (const listener of this.listeners) listener.end();
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
    await this.watching;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, reason: string): void => {
      response.writeHead(status, { ...headers, 'Content-Type': 'text/plain' }).end(`${reason}\n`);
    };
    // A page of another site can point a name of its own at this machine; its requests then carry that name.
    const names = [host, 'localhost'].map((name) => `${name}:${this.port}`);
    if (!names.includes(request.headers.host ?? '')) return refuse(403, `expected Host ${names[0]}`);
    if (request.method !== 'GET') return refuse(405, 'expected GET: nothing can be changed from here');
    const url = URL.canParse(request.url ?? '', this.url) ? new URL(request.url ?? '', this.url) : null;
    if (url === null) return refuse(400, 'expected a path');
    const file = files.get(url.pathname);
    if (file !== undefined) {
      const [type, path] = file;
      const body = await readFile(path);
      response.writeHead(200, { ...headers, 'Content-Type': types[type] }).end(body);
    } else if (url.pathname === '/api/events') {
      this.listen(response);
    } else if (url.pathname === '/api/curves') {
      const body = JSON.stringify(curvesOf(parseCurvesQuery(url.searchParams, this.runs.runs)));
      response.writeHead(200, { ...headers, 'Content-Type': 'application/json' }).end(body);
    } else {
      refuse(404, 'not found');
    }
  }

  /** Server-sent events: `runs` with what is new of them and the charts there are, at once and whenever something changes. */
  private listen(response: ServerResponse): void {
    response.writeHead(200, { ...headers, 'Content-Type': 'text/event-stream' });
    response.on('close', () => this.listeners.delete(response));
    const { runs } = this.runs;
    const now = Date.now();
    response.write(
      eventOf('runs', {
        folder: this.folder,
        all: true,
        runs: [...runs.values()].map((run) => summaryOf(run, now)),
        removed: [],
        charts: chartsOfRuns(runs.values()),
      }),
    );
    this.listeners.add(response);
  }

  private async watch(interval: number): Promise<void> {
    const states = new Map<string, string>();
    for (const run of this.runs.runs.values()) states.set(run.id, stateOf(run, Date.now()));
    while (!this.ending.signal.aborted) {
      await pause(interval, this.ending.signal);
      const { changed, removed } = await this.runs.refresh();
      if (this.listeners.size === 0) continue;
      const now = Date.now();
      const runs = [...this.runs.runs.values()];
      // A run that falls silent has no news, but another state.
      const news = runs.filter((run) => changed.includes(run) || states.get(run.id) !== stateOf(run, now));
      for (const run of runs) states.set(run.id, stateOf(run, now));
      if (news.length === 0 && removed.length === 0) continue;
      const summaries = news.map((run) => summaryOf(run, now));
      const charts = chartsOfRuns(runs);
      const event = eventOf('runs', { folder: this.folder, all: false, runs: summaries, removed, charts });
      for (const listener of this.listeners) listener.write(event);
    }
  }
}

const eventOf = (name: string, data: object): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
  });
}
