// Runs the case tables on the WebGPU device, on the driver of this process, against the reference kernels; prints an object of
// what is wrong, by op. Arguments: ops, or none for all that have a kernel.
import { backendOf } from '../../src/backend/device.js';
import { device } from '../../src/index.js';
import { webGpuKernels } from '../../src/ops/webgpu.js';
import { type Case, type Info, runTables } from '../devices/conformance.js';
import type { placeCase, Ran } from '../support/conformance.js';
import { encodeParams } from '../support/raw.js';

const allowSoftware = true;
const { detail } = await device.request('webgpu', { allowSoftware });
const backend = backendOf('webgpu');

/** Results below the smallest normal number are 0 here: WGSL lets an adapter take them for that (15.7.2). */
function withoutSubnormals(ran: Ran): Ran {
  const after = ran.after.map((bytes, i) => {
    const placed = ran.before[i];
    if (!bytes || placed?.operand.dtype !== 'f32') return bytes;
    const flushed = bytes.slice();
    const view = new DataView(flushed.buffer, placed.offset, placed.bytes);
    for (let at = 0; at < placed.bytes; at += 4)
      if (Math.abs(view.getFloat32(at, true)) < 2 ** -126) view.setFloat32(at, 0, true);
    return flushed;
  });
  return { before: ran.before, after };
}

/** Between two operands that share a buffer: where bindings may start, so that both kinds of offset occur. */
const BOUNDARY = 256;
/** Operands in buffers of their own, as every adapter can bind. */
const MOST_BUFFERS = 8;

/**
 * As `runCase`, on WebGPU. `together`: all operands in one buffer, as parameters or a plan's temporaries are; those of a case with
 * more operands than an adapter may bind buffers are always.
 */
async function runHere(info: Info, one: Case, placed: ReturnType<typeof placeCase>, together: boolean): Promise<Ran> {
  const lengths = placed.map((p) => p?.image.length ?? 0);
  const shared = together || placed.filter((p) => p).length > MOST_BUFFERS;
  const starts: number[] = [];
  let total = 0;
  for (const length of lengths) {
    starts.push(shared ? total : 0);
    total += Math.ceil(length / BOUNDARY) * BOUNDARY;
  }
  const handles = shared ? [backend.alloc(total)] : lengths.map((length) => backend.alloc(length));
  const handleOf = (i: number): number => handles[shared ? 0 : i] ?? 0;
  try {
    const triples = placed.map((p, i) => {
      if (!p) return [0, 0, 0];
      const whole = new Uint8Array(shared ? Math.ceil(p.image.length / 4) * 4 : p.image.length);
      whole.set(p.image);
      backend.write(handleOf(i), starts[i] ?? 0, whole);
      return [handleOf(i), (starts[i] ?? 0) + p.offset, p.bytes];
    });
    backend.block.operands.set(triples.flat());
    backend.block.params.u32.set(new Uint32Array(encodeParams(info, one.params).slice().buffer));
    backend.run(info.id, one.in.length, one.out.length);
    const after = await Promise.all(
      placed.map(async (p, i) => p && new Uint8Array(await backend.read(handleOf(i), starts[i] ?? 0, p.image.length))),
    );
    return { before: placed, after };
  } finally {
    for (const handle of handles) backend.free(handle);
  }
}

const wrong = await runTables(
  {
    run: (info, one, placed, values) => runHere(info, one, placed, values === 'poisoned'),
    comparable: withoutSubnormals,
    // These adapters do some 1e9 a second, the reference fewer.
    large: 1e6,
    // So that pipelines compile side by side.
    atOnce: 16,
  },
  process.argv.slice(2),
  ({ name }) => name in webGpuKernels,
);
process.stdout.write(JSON.stringify({ detail, wrong }));
