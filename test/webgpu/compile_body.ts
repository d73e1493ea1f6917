// Compiles every shader that the case tables reach, for GPUs and for adapters in software, with and without subgroups, on Dawn's null backend, which runs
// nothing and so needs no driver. Prints how many calls it made of each kind.
import { create, globals } from 'webgpu';
import { createWebGpuBackend } from '../../src/backend/webgpu/backend.js';
import { webGpuKernels } from '../../src/ops/webgpu.js';
import { readCaseTables } from '../support/case_file.js';
import { itemBytes } from '../support/compare.js';
import { kernelText } from '../support/kernel_text.js';
import { encodeParams, raw } from '../support/raw.js';

Object.assign(globalThis, globals);
const gpu = create(['backend=null']);
/** Storage buffers of a shader that every adapter has room for; scratch memory takes one as well. */
const MOST_BUFFERS = 7;
const tables = readCaseTables();
const subgroupOps = new Set<string>(
  Object.values(webGpuKernels)
    .filter(({ texts }) => texts.some((text) => typeof text !== 'string'))
    .map(({ op }) => op),
);
const calls: number[] = [];
for (const traits of [
  { software: true, subgroups: false, subgroupSize: 0 },
  { software: false, subgroups: false, subgroupSize: 0 },
  { software: false, subgroups: true, subgroupSize: 0 },
  { software: true, subgroups: true, subgroupSize: 8 },
]) {
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new Error("expected Dawn's null backend");
  const { maxStorageBuffersPerShaderStage } = adapter.limits;
  const device = await adapter.requestDevice({
    requiredFeatures: traits.subgroups ? ['subgroups'] : [],
    requiredLimits: { maxStorageBuffersPerShaderStage },
  });
  const { software } = traits;
  let made = 0;
  const backend = createWebGpuBackend({ device, description: 'null', software, traits }, webGpuKernels, kernelText);
  for (const info of raw.ops()) {
    if (traits.subgroups && !subgroupOps.has(info.name)) continue;
    for (const { params, in: inputs, out } of tables.get(info.name)?.cases ?? []) {
      // In one buffer where there are more than every adapter binds.
      const sizes = [...inputs, ...out].map((operand) => operand && operand.n * itemBytes[operand.dtype]);
      const handles: number[] = [];
      const place = (bytes: number): number => {
        const handle = backend.alloc(bytes);
        handles.push(handle);
        return handle;
      };
      const starts: number[] = [];
      let total = 0;
      for (const size of sizes) {
        starts.push(total);
        total += Math.ceil((size ?? 0) / 16) * 16;
      }
      const shared = sizes.filter((size) => size !== null).length > MOST_BUFFERS ? place(total) : null;
      const triples = sizes.map((size, i) => {
        if (size === null) return [0, 0, 0];
        return shared === null ? [place(size), 0, size] : [shared, starts[i] ?? 0, size];
      });
      backend.block.operands.set(triples.flat());
      backend.block.params.u32.set(new Uint32Array(encodeParams(info, params).slice().buffer));
      backend.run(info.id, inputs.length, out.length);
      for (const handle of handles) backend.free(handle);
      made++;
    }
    await backend.sync().catch((error: unknown) => {
      throw new Error(info.name, { cause: error });
    });
  }
  backend.destroy();
  calls.push(made);
}
process.stdout.write(JSON.stringify(calls));
