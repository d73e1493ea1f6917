// Pipelines, compiled once each and in the background, and the bind groups that go with them.
import { AnnealError, reasonOf } from '../../errors.js';
import type { OpName } from '../backend.js';
import type { Held } from './buffers.js';
import { type ShaderShape, shaderText } from './shader.js';

export interface Pipeline {
  readonly op: OpName;
  readonly layout: GPUBindGroupLayout;
  readonly layoutKey: string;
  /** Null while it compiles. */
  compiled: GPUComputePipeline | null;
  /** Why it could not be compiled. */
  failure: AnnealError | null;
  /** Settles when it is one or the other. */
  readonly ready: Promise<void>;
}

/** A part of a buffer, as a shader sees it. */
export interface Bound {
  readonly held: Held;
  readonly offset: number;
  readonly size: number;
}

/** Room for an op's parameters, and an offset for each operand. */
export const UNIFORM_BYTES = 512;
const MOST_GROUPS = 4096;

export class Pipelines {
  readonly #device: GPUDevice;
  readonly #textOf: (path: string) => string;
  readonly #byKey = new Map<string, Pipeline>();
  readonly #modules = new Map<string, GPUShaderModule>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  #groups = new Map<string, GPUBindGroup>();
  /** Counts the times that bind groups were dropped: older ones may hold destroyed buffers. */
  epoch = 0;

  constructor(device: GPUDevice, textOf: (path: string) => string) {
    this.#device = device;
    this.#textOf = textOf;
  }

  /** `access`: for each binding r or w. */
  #layout(access: string): GPUBindGroupLayout {
    let layout = this.#layouts.get(access);
    if (layout === undefined) {
      const storage = [...access].map(
        (each, i): GPUBindGroupLayoutEntry => ({
          binding: i + 1,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: each === 'w' ? 'storage' : 'read-only-storage' },
        }),
      );
      layout = this.#device.createBindGroupLayout({
        label: access,
        entries: [
          { binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: 'uniform', hasDynamicOffset: true } },
          ...storage,
        ],
      });
      this.#layouts.set(access, layout);
    }
    return layout;
  }

  /** `key` tells all that the text depends on. */
  get(op: OpName, texts: readonly string[], entry: string, key: string, shape: () => ShaderShape): Pipeline {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const described = shape();
    const access = described.bindings
      .map(({ operands }) => (operands.some(({ written }) => written) ? 'w' : 'r'))
      .join('');
    const layout = this.#layout(access);
    const label = `${op}/${entry}`;
    const moduleKey = `${op}${key.slice(key.indexOf('|'))}`;
    let module = this.#modules.get(moduleKey);
    if (module === undefined) {
      // What is wrong with it, the pipeline reports as well.
      this.#device.pushErrorScope('validation');
      module = this.#device.createShaderModule({
        label,
        code: shaderText(described, ['common/common.wgsl', ...texts].map(this.#textOf)),
      });
      void this.#device.popErrorScope();
      this.#modules.set(moduleKey, module);
    }
    const made = this.#device.createComputePipelineAsync({
      label,
      layout: this.#device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: entry },
    });
    const pipeline: Pipeline = {
      op,
      layout,
      layoutKey: access,
      compiled: null,
      failure: null,
      ready: made.then(
        (compiled) => {
          pipeline.compiled = compiled;
        },
        (error: unknown) => {
          const message = reasonOf(error);
          pipeline.failure = new AnnealError('E_INTERNAL', `${op}: expected ${label} to compile: ${message}`, {
            cause: error,
          });
        },
      ),
    };
    this.#byKey.set(key, pipeline);
    return pipeline;
  }

  bindGroup(pipeline: Pipeline, uniforms: Held, bound: readonly Bound[]): GPUBindGroup {
    let key = `${pipeline.layoutKey}|${uniforms.id}`;
    for (const { held, offset, size } of bound) key += `|${held.id} ${offset} ${size}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      if (this.#groups.size >= MOST_GROUPS) this.#groups = new Map();
      group = this.#device.createBindGroup({
        label: pipeline.op,
        layout: pipeline.layout,
        entries: [
          { binding: 0, resource: { buffer: uniforms.buffer, size: UNIFORM_BYTES } },
          ...bound.map(({ held, offset, size }, i) => ({
            binding: i + 1,
            resource: { buffer: held.buffer, offset, size },
          })),
        ],
      });
      this.#groups.set(key, group);
    }
    return group;
  }

  /** Buffers were destroyed: their bind groups keep them. */
  dropGroups(): void {
    this.epoch++;
    this.#groups = new Map();
  }
}
