// From the machine to a GPUDevice: through navigator.gpu where there is one, else through Dawn, the npm package `webgpu`.
import { AnnealError } from '../../errors.js';
import type { AdapterTraits } from './kernel.js';
import type { WebGpuOptions } from './options.js';

export interface OpenedAdapter {
  readonly device: GPUDevice;
  /** For people: name and driver. */
  readonly description: string;
  readonly software: boolean;
  readonly traits: AdapterTraits;
}

/** At most so many storage buffers a shader; the most operands an op has is 16. */
const MOST_BINDINGS = 16;

/** Held, since Dawn's adapters and devices live in it. */
let dawn: GPU | undefined;

async function entryPoint(): Promise<GPU> {
  const browser = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (browser !== undefined) return browser;
  if (dawn !== undefined) return dawn;
  let webgpu: typeof import('webgpu');
  try {
    webgpu = await import('webgpu');
  } catch (cause) {
    throw new AnnealError(
      'E_DEVICE',
      'webgpu: expected the npm package "webgpu" (npm install webgpu), found none for this platform',
      { cause },
    );
  }
  Object.assign(globalThis, webgpu.globals);
  dawn = webgpu.create([]);
  return dawn;
}

function isSoftware({ isFallbackAdapter, description, device, architecture }: GPUAdapterInfo): boolean {
  return (
    isFallbackAdapter || /swiftshader|llvmpipe|software|lavapipe/i.test(`${description} ${device} ${architecture}`)
  );
}

/** @throws E_DEVICE with the reason where there is no adapter, or only one in software and that is not allowed */
export async function openAdapter({ allowSoftware, powerPreference }: WebGpuOptions): Promise<OpenedAdapter> {
  const gpu = await entryPoint();
  const adapter = await gpu.requestAdapter({ powerPreference: powerPreference ?? 'high-performance' });
  if (adapter === null) {
    throw new AnnealError(
      'E_DEVICE',
      "webgpu: expected an adapter, found none; it takes a driver: Vulkan's on Linux (such as mesa-vulkan-drivers 23 or later)",
    );
  }
  const { info, limits, features } = adapter;
  const { subgroupMinSize = 0, subgroupMaxSize = 0 } = info;
  const description = info.description || info.device || info.vendor || 'unnamed adapter';
  const software = isSoftware(info);
  if (software && allowSoftware !== true) {
    throw new AnnealError(
      'E_DEVICE',
      `webgpu: expected a GPU, found ${description}, which is software and slower than the device 'cpu'; allowSoftware takes it all the same`,
    );
  }
  // For tests, whose adapters are all in software and all have subgroups: the variants for GPUs, and those of adapters without.
  const told = (process.env.ANNEAL_WEBGPU_VARIANTS ?? '').split(',');
  const used = (['timestamp-query', 'subgroups', 'shader-f16'] as const).filter(
    (feature) => features.has(feature) && !(feature === 'subgroups' && told.includes('plain')),
  );
  const device = await adapter.requestDevice({
    label: 'anneal',
    requiredFeatures: used,
    requiredLimits: {
      maxStorageBuffersPerShaderStage: Math.min(limits.maxStorageBuffersPerShaderStage, MOST_BINDINGS),
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    },
  });
  return {
    device,
    description,
    software,
    traits: {
      software: software && !told.includes('gpu'),
      subgroups: used.includes('subgroups'),
      subgroupSize: used.includes('subgroups') && subgroupMinSize === subgroupMaxSize ? subgroupMinSize : 0,
    },
  };
}
