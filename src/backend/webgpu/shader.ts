// Writes the WGSL around a room's text: the parameter struct from the op's codec, a binding for each buffer, and for each operand
// the functions that reach it. A buffer is bound once, however many operands lie in it: WebGPU lets no buffer be read through
// one binding while another writes it, and parameters, gradients and a plan's temporaries share buffers.
import type { ParamStruct } from '../params.js';
import { accessHalves, type OperandShape, readFromWords, roundingText, wgslType } from './half.js';
import type { ElementType } from './kernel.js';

/** One binding: the operands that lie in one buffer. */
export interface BindingShape {
  readonly operands: readonly OperandShape[];
}

export interface ShaderShape {
  readonly struct: ParamStruct;
  readonly bindings: readonly BindingShape[];
  /** Operands of the op that this call does not have. */
  readonly absent: readonly { readonly name: string; readonly type: ElementType }[];
  readonly vectors: boolean;
  readonly constants: Readonly<Record<string, number | boolean>>;
  /** See `Launch.code`. */
  readonly code: string;
  /** Whether a text has subgroup operations. */
  readonly subgroups: boolean;
}

/** Words that WGSL keeps for itself, as far as parameters are called so. */
const reserved = new Set(['from', 'std']);
const fieldName = (name: string): string => (reserved.has(name) ? `${name}_` : name);

/** The uniform's words: parameters, then the first element of each operand. */
function uniform(struct: ParamStruct, names: readonly string[]): string {
  const fields = struct.fields.flatMap(({ name, type, count }) =>
    count === 1 ? [`${fieldName(name)}: ${type}`] : Array.from({ length: count }, (_, i) => `${name}_${i}: ${type}`),
  );
  const arrays = struct.fields.filter(({ count }) => count > 1);
  const reads = arrays.map(
    ({ name, type, count }) =>
      `fn param_${name}(i: u32) -> ${type} {\n  switch i {\n${Array.from({ length: count - 1 }, (_, i) => `    case ${i}u: { return params.${name}_${i}; }`).join('\n')}\n    default: { return params.${name}_${count - 1}; }\n  }\n}`,
  );
  return [
    `struct Params { ${[...fields, ...names.map((name) => `at_${name}: u32`)].join(', ')} }`,
    '@group(0) @binding(0) var<uniform> params: Params;',
    ...reads,
  ].join('\n');
}

function absentAccess(name: string, type: ElementType): string {
  const t = wgslType(type);
  return [
    `const has_${name} = false;`,
    `fn read_${name}(i: u32) -> ${t} { return ${t}(0); }`,
    `fn read4_${name}(i: u32) -> vec4<${t}> { return vec4<${t}>(); }`,
    `fn write_${name}(i: u32, value: ${t}) {}`,
    `fn write4_${name}(i: u32, value: vec4<${t}>) {}`,
  ].join('\n');
}

/** What the memory of a binding is declared as: u32 where its operands differ. */
function memoryType({ operands }: BindingShape): 'f32' | 'i32' | 'u32' {
  const types = new Set(operands.map(({ type, half }) => (half ? 'u32' : wgslType(type))));
  const [only] = types;
  return types.size === 1 && only !== undefined ? only : 'u32';
}

/** The functions of one operand: `read_x(i)`, `read4_x(i)` of elements i to i + 3, and their like for writing. */
function access(memory: string, held: 'f32' | 'i32' | 'u32', operand: OperandShape, vectors: boolean): string {
  const { name, type, written } = operand;
  const t = wgslType(type);
  const load = (from: string, wide = false): string =>
    t === held ? from : `bitcast<${wide ? `vec4<${t}>` : t}>(${from})`;
  const store = (value: string, wide = false): string =>
    t === held ? value : `bitcast<${wide ? `vec4<${held}>` : held}>(${value})`;
  const lines = [`const has_${name} = true;`];
  if (operand.half) {
    const word = (i: string): string => (vectors ? `${memory}[${i} >> 2u][${i} & 3u]` : `${memory}[${i}]`);
    return [...lines, ...readFromWords(operand, word, vectors)].join('\n');
  }
  if (type === 'u8') {
    // A byte of a word. Whole words are not this operand's alone: others write them through atomics, each its own byte.
    const word = `${memory}[at >> 2u]`;
    lines.push(
      `fn read_${name}(i: u32) -> u32 { let at = params.at_${name} + i; return (${written ? `atomicLoad(&${word})` : load(word)} >> (8u * (at & 3u))) & 255u; }`,
    );
    if (written)
      lines.push(
        `fn write_${name}(i: u32, value: u32) { let at = params.at_${name} + i; let shift = 8u * (at & 3u); atomicAnd(&${word}, ~(255u << shift)); atomicOr(&${word}, (value & 255u) << shift); }`,
      );
    return lines.join('\n');
  }
  if (vectors) {
    const at = `let at = params.at_${name} + i;`;
    lines.push(
      `fn read_${name}(i: u32) -> ${t} { ${at} return ${load(`${memory}[at >> 2u][at & 3u]`)}; }`,
      `fn read4_${name}(i: u32) -> vec4<${t}> { ${at} return ${load(`${memory}[at >> 2u]`, true)}; }`,
    );
    if (written)
      lines.push(
        `fn write_${name}(i: u32, value: ${t}) { ${at} ${memory}[at >> 2u][at & 3u] = ${store('value')}; }`,
        `fn write4_${name}(i: u32, value: vec4<${t}>) { ${at} ${memory}[at >> 2u] = ${store('value', true)}; }`,
      );
    return lines.join('\n');
  }
  const at = `let at = params.at_${name} + i;`;
  const four = [0, 1, 2, 3].map((k) => load(`${memory}[at + ${k}u]`)).join(', ');
  lines.push(
    `fn read_${name}(i: u32) -> ${t} { ${at} return ${load(`${memory}[at]`)}; }`,
    `fn read4_${name}(i: u32) -> vec4<${t}> { ${at} return vec4<${t}>(${four}); }`,
  );
  if (written)
    lines.push(
      `fn write_${name}(i: u32, value: ${t}) { ${at} ${memory}[at] = ${store('value')}; }`,
      `fn write4_${name}(i: u32, value: vec4<${t}>) { ${at} ${[0, 1, 2, 3].map((k) => `${memory}[at + ${k}u] = ${store(`value[${k}]`)};`).join(' ')} }`,
    );
  return lines.join('\n');
}

const writesHalves = ({ operands }: BindingShape): boolean => operands.some(({ half, written }) => half && written);

function binding(shape: BindingShape, index: number, vectors: boolean): string {
  const memory = `memory_${index}`;
  const written = shape.operands.some((operand) => operand.written);
  if (writesHalves(shape)) {
    const declared = `@group(0) @binding(${index + 1}) var<storage, read_write> ${memory}: array<${vectors ? 'vec4<f16>' : 'f16'}>;`;
    return [declared, ...shape.operands.map((operand) => accessHalves(memory, operand, vectors))].join('\n');
  }
  const bytes = shape.operands.some(({ type }) => type === 'u8');
  const held = bytes && written ? 'u32' : memoryType(shape);
  const element = bytes && written ? 'atomic<u32>' : vectors ? `vec4<${held}>` : held;
  const declared = `@group(0) @binding(${index + 1}) var<storage, ${written ? 'read_write' : 'read'}> ${memory}: array<${element}>;`;
  const operands = shape.operands.map((operand) => {
    // Words next to bytes that are written, in one buffer: the whole binding is atomic.
    if (bytes && written && operand.type !== 'u8') return atomicWords(memory, operand);
    return access(memory, held, bytes && written ? { ...operand, written: true } : operand, vectors);
  });
  return [declared, ...operands].join('\n');
}

function atomicWords(memory: string, operand: OperandShape): string {
  const { name, type, written } = operand;
  const t = wgslType(type);
  const at = `&${memory}[params.at_${name} + i]`;
  const has = `const has_${name} = true;`;
  if (operand.half) {
    const word = (i: string): string => `atomicLoad(&${memory}[${i}])`;
    return [has, ...readFromWords(operand, word, false)].join('\n');
  }
  const lines = [has, `fn read_${name}(i: u32) -> ${t} { return bitcast<${t}>(atomicLoad(${at})); }`];
  if (written) lines.push(`fn write_${name}(i: u32, value: ${t}) { atomicStore(${at}, bitcast<u32>(value)); }`);
  return lines.join('\n');
}

const literal = (value: number | boolean): string => (typeof value === 'boolean' ? String(value) : `${value}u`);

/** The whole module. Offsets `at_*` are in elements. */
export function shaderText(shape: ShaderShape, texts: readonly string[]): string {
  const names = shape.bindings.flatMap(({ operands }) => operands.map(({ name }) => name));
  return [
    ...(shape.subgroups ? ['enable subgroups;'] : []),
    ...(shape.bindings.some(writesHalves) ? ['enable f16;', roundingText] : []),
    uniform(shape.struct, names),
    ...Object.entries(shape.constants).map(([name, value]) => `const ${name} = ${literal(value)};`),
    ...shape.bindings.map((each, i) => binding(each, i, shape.vectors)),
    ...shape.absent.map(({ name, type }) => absentAccess(name, type)),
    shape.code,
    ...texts,
  ].join('\n');
}
