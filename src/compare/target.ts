// Where an op can be run for a comparison: a device, on the CPU with an instruction set or a number of threads of its own.

import type { Backend, Handle } from '../backend/backend.js';
import { isCudaName } from '../backend/cuda.js';
import { backendOf, cpuInfo, setInstructionSet, setThreads } from '../backend/device.js';
import { type OperandRef, runCall } from '../bench/capture.js';
import { request } from '../device.js';
import { AnnealError } from '../errors.js';
import type { RecordedCall, Values } from './recording.js';

export interface Target {
  /** As it was asked for. */
  readonly name: string;
  /** Targets that agree in this must agree in every bit. */
  readonly bits: string;
  /** What the outputs hold after the call. */
  run(call: RecordedCall): Promise<readonly Values[]>;
}

async function runOn(backend: Backend, { op, params, inputs, outputs }: RecordedCall): Promise<readonly Values[]> {
  const handles: Handle[] = [];
  const place = (values: Values): OperandRef | null => {
    if (values === null) return null;
    const handle = backend.alloc(values.byteLength);
    handles.push(handle);
    backend.write(handle, 0, values);
    return { handle, byteOffset: 0, bytes: values.byteLength };
  };
  try {
    const [ins, outs] = [inputs.map(place), outputs.map(place)];
    runCall(backend, { op, params, inputs: ins, outputs: outs });
    return await Promise.all(
      outs.map(async (ref) => ref && new Uint8Array(await backend.read(ref.handle, 0, ref.bytes))),
    );
  } finally {
    for (const handle of handles) backend.free(handle);
  }
}

/** On the CPU as it is set for the call, and set back. */
function onCpu(name: string, bits: string, set: () => void): Target {
  return {
    name,
    bits,
    async run(call) {
      const { isa, threads } = cpuInfo();
      try {
        set();
        return await runOn(backendOf('cpu'), call);
      } finally {
        setInstructionSet(isa);
        setThreads(threads);
      }
    },
  };
}

const isaOf = (detail: string) => cpuInfo().runnable.find((isa) => isa === detail);

/**
 * By name: `cpu`, `cpu:avx2` or another instruction set, `cpu:3` for three threads, `webgpu`, `cuda`, `cuda:1`.
 * @throws E_ARGUMENT for another one, E_DEVICE where the device is missing
 */
export async function targetOf(name: string): Promise<Target> {
  const [device, detail] = name.split(':');
  if (isCudaName(name)) {
    await request(name);
    // The same bits on every GPU.
    return { name, bits: 'cuda', run: (call) => runOn(backendOf(name), call) };
  }
  if (device === 'webgpu' && detail === undefined) {
    await request('webgpu', { allowSoftware: true });
    const backend = backendOf('webgpu');
    return { name, bits: name, run: (call) => runOn(backend, call) };
  }
  if (device === 'cpu') {
    const { isa } = cpuInfo();
    if (detail === undefined) return onCpu(name, isa, () => undefined);
    const other = isaOf(detail);
    if (other !== undefined) return onCpu(name, other, () => setInstructionSet(other));
    const threads = Number(detail);
    if (Number.isInteger(threads) && threads >= 1) return onCpu(name, isa, () => setThreads(threads));
  }
  throw new AnnealError(
    'E_ARGUMENT',
    `compare: expected cpu, cpu:THREADS, cpu:${cpuInfo().runnable.join(', cpu:')}, webgpu, cuda or cuda:1, received '${name}'`,
  );
}
