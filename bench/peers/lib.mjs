// What the Node.js programs of this folder share: the protocol's two ends and the sampling rule (README.md).
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MIN_SAMPLES = 5;
const MAX_SAMPLES = 300;
/** A call that takes longer than this is not measured: the benchmark has minutes, not hours. */
const LIMIT_MS = 3000;

export function emit(fields) {
  process.stdout.write(`${JSON.stringify(fields)}\n`);
}

/** Ends the program: there is no such peer on this machine, and why. */
export function missing(reason) {
  emit({ missing: reason });
  process.exit(0);
}

export async function readRequest() {
  let text = '';
  for await (const piece of process.stdin) text += piece;
  return JSON.parse(text);
}

/** The path of a program of this folder, compiled once for each version of its source by the first of these compilers that is here. */
export function buildProgram(file, compilers, flags) {
  const source = fileURLToPath(new URL(file, import.meta.url));
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16);
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'anneal', 'peers');
  const path = join(folder, `${file.split('.')[0]}-${hash}`);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const partial = `${path}.${process.pid}`;
  for (const compiler of compilers) {
    const { error, status, stderr } = spawnSync(compiler, [source, '-o', partial, ...flags], { encoding: 'utf8' });
    if (error) continue;
    if (status !== 0) missing(`${compiler} could not build ${file}: ${stderr.trim().split('\n')[0]}`);
    renameSync(partial, path);
    return path;
  }
  return missing(`no compiler (${compilers.join(', ')}) to build ${file}`);
}

const products = (works) => works.filter((work) => work.kind === 'sgemm');

/** The products of a request, a line each: what a program in C reads on stdin. */
export const productLines = (works) =>
  products(works)
    .map(({ work, batch, m, n, k, transA, transB }) => [work, batch, m, n, k, Number(transA), Number(transB)].join(' '))
    .join('\n');

/** Says of all other works that a BLAS cannot do them. */
export function skipOthers(works) {
  for (const work of works)
    if (work.kind !== 'sgemm') emit({ work: work.work, skip: 'a BLAS has only matrix products' });
}

export const firstLine = (error) =>
  String(error?.message ?? error)
    .split('\n')[0]
    .slice(0, 160);

async function timed(run) {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

/** Sorted milliseconds of one run, by the rule of README.md; a slow run is timed once, after its warm-up. */
export async function sample(run, budgetMs) {
  await run();
  const once = await timed(run);
  if (once > budgetMs) return [once];
  const inner = once < 1 ? Math.ceil(1 / Math.max(once, 1e-4)) : 1;
  const ms = [];
  // `run` may give a promise or not: waiting for one that is not there would cost a one-element add a part of its time.
  const many = async () => {
    const start = performance.now();
    for (let i = 0; i < inner; i++) {
      const pending = run();
      if (pending) await pending;
    }
    return (performance.now() - start) / inner;
  };
  for (const end = performance.now() + budgetMs / 10; performance.now() < end; ) await many();
  const end = performance.now() + budgetMs;
  while (ms.length < MAX_SAMPLES && (ms.length < MIN_SAMPLES || performance.now() < end)) ms.push(await many());
  return ms.sort((a, b) => a - b);
}

/** The same work with less of its longest axis, and by which factor: to estimate before hours are spent. null: it is small. */
function slice(work) {
  switch (work.kind) {
    case 'sgemm': {
      const { batch, m, n, k } = work;
      if (batch * m * n * k < 2 ** 24) return null;
      if (batch > 1) return [{ ...work, batch: 1 }, batch];
      return m >= n ? [{ ...work, m: Math.ceil(m / 32) }, 32] : [{ ...work, n: Math.ceil(n / 32) }, 32];
    }
    case 'conv2d':
      // tfjs-cpu takes a minute for the gradients of one image.
      if (work.pass === 'fwdbwd') return [{ ...work, n: 1, oc: Math.ceil(work.oc / 8) }, 8 * work.n];
      return [{ ...work, n: 1 }, work.n];
    case 'depthwise_conv2d':
    case 'pool2d':
      return [{ ...work, n: 1 }, work.n];
    case 'layer_norm':
    case 'batch_norm':
    case 'softmax_cross_entropy':
      return work.rows < 1024 ? null : [{ ...work, rows: Math.ceil(work.rows / 32) }, 32];
    case 'train':
      return work.batch < 64 ? null : [{ ...work, batch: Math.ceil(work.batch / 16) }, 16];
    default:
      return null;
  }
}

/** Names in order of a work's kind; `kinds[kind](work)` makes `{ run, dispose }`, or throws what is a skip's reason. */
export async function timeWorks({ works, budgetMs }, kinds) {
  for (const work of works) {
    const name = work.work;
    console.error(name);
    let made = null;
    try {
      if (!kinds[work.kind]) throw new Error(`no program for ${work.kind}`);
      const part = slice(work);
      if (part) {
        made = await kinds[work.kind](part[0]);
        await made.run();
        const estimate = part[1] * (await timed(made.run));
        made.dispose();
        made = null;
        if (estimate > LIMIT_MS) {
          emit({
            work: name,
            skip: `about ${(estimate / 1e3).toPrecision(2)} s a call, more than ${LIMIT_MS / 1e3} s`,
          });
          continue;
        }
      }
      made = await kinds[work.kind](work);
      const ms = await sample(made.run, budgetMs);
      const at = (i) => Number(ms[i].toPrecision(6));
      const samples = ms.length;
      emit({ work: name, msMedian: at(samples >> 1), msMin: at(0), msMax: at(samples - 1), samples });
    } catch (error) {
      emit({ work: name, skip: firstLine(error) });
    } finally {
      made?.dispose();
    }
    // Lets the line out before the next work blocks.
    await new Promise((done) => setImmediate(done));
  }
}
