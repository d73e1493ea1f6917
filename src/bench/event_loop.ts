// How free the event loop is while a net trains: its delay, and how long a server in the same process takes to answer a
// client in another one.
import { type ChildProcess, fork } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { Dataset } from '../data/index.js';
import { AnnealError } from '../errors.js';
import * as nn from '../nn/index.js';
import * as optim from '../optim/index.js';
import * as train from '../train/index.js';
import { quantile } from './statistics.js';

export interface EventLoopWork {
  readonly work: string;
  readonly group: 'eventloop';
  readonly label: string;
  /** The nets of the `train` works. */
  readonly net: 'cnn' | 'mlp';
  readonly batch: number;
  /** Op by op, or as `train.fit` does it. */
  readonly capture: boolean;
}

function works(net: EventLoopWork['net'], batch: number): EventLoopWork[] {
  const label = `${net}, batch ${batch}: train.fit with validation each epoch, beside an HTTP server`;
  const work = `eventloop_${net}_b${batch}`;
  return [
    { work, group: 'eventloop', label, net, batch, capture: true },
    { work: `${work}_eager`, group: 'eventloop', label: `${label}, op by op`, net, batch, capture: false },
  ];
}

export const eventLoopWorks: readonly EventLoopWork[] = [...works('cnn', 128), ...works('mlp', 32)];

/** Milliseconds below which a share of the samples lies. */
export interface Delays {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly samples: number;
}

export interface EventLoopResult {
  readonly work: string;
  readonly label: string;
  readonly threads: number;
  readonly steps: number;
  readonly msPerStep: number;
  /** Between two ticks of a timer of 1 ms (`monitorEventLoopDelay`): a loop that is always free has 1. */
  readonly loop: Delays;
  /** From a request to the end of its answer, as the client sees it. */
  readonly request: Delays;
}

/** What training is asked to do at most, in ms. */
export const EVENT_LOOP_BAR_MS = 5;

const SIZE = 28;
const TRAIN_IMAGES = 12_800;
const TEST_IMAGES = 2000;
const CLASSES = 10;

/** Bytes that look random, the same for the same seed. */
function pixels(count: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(count);
  let state = (seed ^ 0x9e3779b9) | 1;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

function digits(count: number, seed: number): Dataset {
  const x = pixels(count * SIZE * SIZE, seed);
  const y = Int32Array.from({ length: count }, (_, i) => (i * 7) % CLASSES);
  return Dataset.fromArrays(
    { x: { data: x, shape: [count, SIZE, SIZE, 1], dtype: 'u8' }, y: { data: y, shape: [count], dtype: 'i32' } },
    { normalize: { scale: 1 / 255, offset: 0 } },
  );
}

function netOf(kind: EventLoopWork['net']): nn.Module {
  if (kind === 'cnn') return nn.models.lenet({ filters: [32, 64], padding: 'same', hidden: [256] });
  return nn.sequential([nn.flatten(), nn.models.mlp({ hidden: [128], outputs: CLASSES })]);
}

async function listen(): Promise<{ server: Server; url: string }> {
  const server = createServer((_request, response) => response.end('ok'));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new AnnealError('E_IO', 'bench: expected a port to listen on');
  return { server, url: `http://127.0.0.1:${address.port}/` };
}

/** The child's next message. @throws E_IO when it ends without one */
function messageOf(child: ChildProcess): Promise<unknown> {
  return new Promise((done, failed) => {
    child.once('message', done);
    child.once('exit', (code) => failed(new AnnealError('E_IO', `bench: the client ended with status ${code}`)));
  });
}

const delaysOf = (ms: readonly number[]): Delays => ({
  p50: quantile(ms, 0.5),
  p99: quantile(ms, 0.99),
  max: quantile(ms, 1),
  samples: ms.length,
});

/** Trains for `ms` milliseconds. @throws E_ABORTED when the signal says so */
export async function measureEventLoop(
  { work, label, net, batch, capture }: EventLoopWork,
  { ms, seed, threads, signal }: { ms: number; seed: number; threads: number; signal?: AbortSignal | undefined },
): Promise<EventLoopResult> {
  const data = digits(TRAIN_IMAGES, seed).shuffle().batch(batch);
  const validation = digits(TEST_IMAGES, seed + 1).batch(500);
  const model = netOf(net);
  const { server, url } = await listen();
  const child = fork(fileURLToPath(new URL('../../bench/event_loop/client.mjs', import.meta.url)), [url], {
    execArgv: [],
  });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  try {
    await messageOf(child);
    const ended = AbortSignal.timeout(ms);
    const start = performance.now();
    delay.enable();
    await using run = train.fit(model, {
      data,
      validation,
      epochs: Number.MAX_SAFE_INTEGER,
      seed,
      optimizer: optim.sgd({ lr: 1e-3, momentum: 0.9, ema: { decay: 0.99 } }),
      callbacks: [train.updateRatio({ every: 20 })],
      signal: signal === undefined ? ended : AbortSignal.any([ended, signal]),
      capture,
    });
    const { steps } = await run.result;
    delay.disable();
    const elapsed = performance.now() - start;
    signal?.throwIfAborted();
    const times = messageOf(child);
    child.send('stop');
    const request = delaysOf((await times) as number[]);
    const at = (share: number): number => delay.percentile(100 * share) / 1e6;
    const loop = { p50: at(0.5), p99: at(0.99), max: delay.max / 1e6, samples: delay.count };
    return { work, label, threads, steps, msPerStep: elapsed / steps, loop, request };
  } finally {
    delay.disable();
    child.kill();
    server.closeAllConnections();
    server.close();
    model.dispose();
  }
}
