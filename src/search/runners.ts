// Where trials run: in this thread, or in a worker.
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { AnnealError, traceOf } from '../errors.js';
import { isTypeScript, tsxModule } from '../io/tsx.js';
import type { Chosen, Space, Values } from './space.js';
import { attempt, type Ending, type Objective, type Reporter, Trial } from './trial.js';
import type { FromWorker, ToWorker, WorkerSetup } from './worker.js';

/** Runs one trial at a time. */
export interface Runner extends AsyncDisposable {
  run(number: number, parameters: Chosen, reporter: Reporter): Promise<Ending>;
}

export function inThisThread<S extends Space>(objective: Objective<S>, threads: number, signal: AbortSignal): Runner {
  return {
    run: (number, parameters, reporter) =>
      // The parameters were chosen from the space by its declaration.
      attempt(objective, parameters as Values<S>, new Trial(number, threads, signal, reporter)),
    async [Symbol.asyncDispose]() {},
  };
}

/** The library as this file is a part of it: sources, compiled, or bundled into one file. */
function libraryUrl(): string {
  const own = import.meta.url;
  if (own.endsWith('.cjs')) return own;
  return new URL(isTypeScript(own) ? '../index.ts' : '../index.js', own).href;
}

/** tsx, as far as it is needed and there: workers do not have the loaders of the main thread. */
function loaderFor(urls: readonly string[]): string | null {
  const script = urls.find(isTypeScript);
  return script === undefined ? null : tsxModule(script);
}

/** CommonJS, as text given to a worker is. */
const bootstrap = `
const { workerData } = require('node:worker_threads');
(async () => {
  if (workerData.loader) (await import(workerData.loader)).register();
  const library = await import(workerData.library);
  await (library.search ?? library.default.search).serve();
})();`;

/** Whoever waits for a worker: told each message, and its end. */
interface Listener {
  message(message: FromWorker): void;
  lost(why: string): void;
}

/** A worker and the one who listens to it now. (A Worker whose listeners were removed hears nothing any more.) */
class Connection {
  readonly worker: Worker;
  listener: Listener | null = null;
  /** Why it is no more. */
  ended: string | null = null;

  constructor(workerData: WorkerSetup & { readonly library: string; readonly loader: string | null }) {
    this.worker = new Worker(bootstrap, { eval: true, workerData, name: 'anneal search' });
    const lost = (why: string): void => {
      this.ended ??= why;
      this.listener?.lost(this.ended);
    };
    this.worker.on('message', (message: FromWorker) => this.listener?.message(message));
    this.worker.on('error', (error) => lost(traceOf(error)));
    this.worker.on('exit', (code) => lost(`the worker ended with code ${code}`));
  }
}

export class WorkerRunner implements Runner {
  readonly #setup: WorkerSetup;
  readonly #signal: AbortSignal;
  #connection: Promise<Connection> | null = null;

  constructor(setup: WorkerSetup, signal: AbortSignal) {
    this.#setup = setup;
    this.#signal = signal;
  }

  /** @throws E_ARGUMENT when the module cannot be loaded, has no objective, or the device cannot be opened */
  async run(number: number, parameters: Chosen, reporter: Reporter): Promise<Ending> {
    this.#connection ??= this.#start();
    const connection = await this.#connection;
    const { worker } = connection;
    const started = performance.now();
    const tell = (message: ToWorker): void => worker.postMessage(message);
    const stop = (): void => void worker.terminate();
    if (this.#signal.aborted) stop();
    this.#signal.addEventListener('abort', stop, { once: true });
    try {
      return await new Promise<Ending>((resolve, reject) => {
        const lost = (error: string): void => {
          // The next trial has another one.
          this.#connection = null;
          const seconds = (performance.now() - started) / 1e3;
          resolve({ state: 'failed', value: null, metrics: {}, reports: [], error, seconds });
        };
        const message = (told: FromWorker): void => {
          if (told.type === 'ended') resolve(told.ending);
          if (told.type !== 'report') return;
          const verdict = Promise.resolve(told.report).then(reporter);
          verdict.then((prune) => tell({ type: 'verdict', prune }), reject);
        };
        connection.listener = { message, lost };
        if (connection.ended !== null) lost(connection.ended);
        tell({ type: 'trial', number, parameters });
      });
    } finally {
      this.#signal.removeEventListener('abort', stop);
      connection.listener = null;
    }
  }

  async #start(): Promise<Connection> {
    const library = libraryUrl();
    const { module } = this.#setup;
    const connection = new Connection({ ...this.#setup, library, loader: loaderFor([module, library]) });
    try {
      await new Promise<void>((resolve, reject) => {
        const lost = (why: string): void =>
          reject(new AnnealError('E_ARGUMENT', `search: expected ${module} to be loaded in a worker thread (${why})`));
        const message = (told: FromWorker): void => {
          if (told.type === 'ready') resolve();
          if (told.type === 'unusable') lost(told.error);
        };
        connection.listener = { message, lost };
      });
      return connection;
    } catch (error) {
      await connection.worker.terminate();
      throw error;
    } finally {
      connection.listener = null;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connection = await this.#connection?.catch(() => null);
    await connection?.worker.terminate();
  }
}

/** A module's URL from what the user gave. @throws E_ARGUMENT when there is no such file */
export function moduleUrl(module: URL | string): string {
  const url = module instanceof URL ? module : pathToFileURL(module);
  if (url.protocol === 'file:' && !existsSync(url))
    throw new AnnealError('E_ARGUMENT', `search: expected a module with the objective, found no file ${url.href}`);
  return url.href;
}
