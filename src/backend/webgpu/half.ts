// Memory that holds f16: what reads and writes it in the WGSL around a room's text, which sees f32.
//
// A binding whose f16 is only read is words, of which a half is taken: any adapter can. Where f16 is written, neighbours are written by
// other threads, so the binding is an array of f16, and whatever else lies in it is put together from two of those.
// Rounding to f16 is written out in integers: WGSL lets an adapter round either way, and overflow to anything.
import type { ElementType } from './kernel.js';

/** One operand of a binding. */
export interface OperandShape {
  readonly name: string;
  readonly type: ElementType;
  readonly written: boolean;
  /** Stored as f16. */
  readonly half: boolean;
}

export const wgslType = (type: ElementType): 'f32' | 'i32' | 'u32' => (type === 'u8' ? 'u32' : type);

/** f32 to the nearest f16, ties to even, as kernels/common/half.h does. */
export const roundingText = `fn half_word(x: f32) -> u32 {
  let word = bitcast<u32>(x);
  let magnitude = word & 0x7fffffffu;
  let normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13u) & 1u)) >> 13u;
  // Below 2^-14, in steps of 2^-24.
  let shift = min(126u - (magnitude >> 23u), 25u);
  let fraction = (magnitude & 0x7fffffu) | 0x800000u;
  let subnormal = (fraction + (1u << (shift - 1u)) - 1u + ((fraction >> shift) & 1u)) >> shift;
  let special = select(0x7c00u, 0x7e00u | ((magnitude >> 13u) & 0x3ffu), magnitude > 0x7f800000u);
  let rounded = select(normal, subnormal, magnitude < 0x38800000u);
  return select(rounded, special, magnitude >= 0x47800000u) | ((word >> 16u) & 0x8000u);
}
fn half_words(x: vec4<f32>) -> vec2<u32> {
  return vec2<u32>(half_word(x.x) | (half_word(x.y) << 16u), half_word(x.z) | (half_word(x.w) << 16u));
}`;

/** An f32 as what the text takes for an element, and back. */
const seen = (type: string, value: string, wide = false): string =>
  type === 'f32' ? value : `bitcast<${wide ? `vec4<${type}>` : type}>(${value})`;
const float = (type: string, value: string, wide = false): string =>
  type === 'f32' ? value : `bitcast<${wide ? 'vec4<f32>' : 'f32'}>(${value})`;

const fours = (one: (k: number) => string): string[] => [0, 1, 2, 3].map(one);

/** Reads f16 from words: `word(i)` is an expression of the u32 at place i. */
export function readFromWords({ name, type }: OperandShape, word: (i: string) => string, vectors: boolean): string[] {
  const t = wgslType(type);
  const at = `let at = params.at_${name} + i;`;
  const one = (k: number): string => `unpack2x16float(${word(`((at + ${k}u) >> 1u)`)})[(at + ${k}u) & 1u]`;
  // By fours the first is at a multiple of four.
  const four = vectors
    ? [0, 1].map((k) => `unpack2x16float(${word(`((at >> 1u) + ${k}u)`)})`).join(', ')
    : fours(one).join(', ');
  return [
    `fn read_${name}(i: u32) -> ${t} { ${at} return ${seen(t, one(0))}; }`,
    `fn read4_${name}(i: u32) -> vec4<${t}> { ${at} return ${seen(t, `vec4<f32>(${four})`, true)}; }`,
  ];
}

/** Any operand in an array of f16, or of fours of them. */
export function accessHalves(memory: string, operand: OperandShape, vectors: boolean): string {
  const { name, type, written, half } = operand;
  const t = wgslType(type);
  const at = `let at = params.at_${name} + i;`;
  const item = (i: string): string => (vectors ? `${memory}[(${i}) >> 2u][(${i}) & 3u]` : `${memory}[${i}]`);
  const lines = [`const has_${name} = true;`];
  if (type === 'u8') {
    const pair = `bitcast<u32>(vec2<f16>(${item('at >> 1u')}, f16()))`;
    lines.push(`fn read_${name}(i: u32) -> u32 { ${at} return (${pair} >> (8u * (at & 1u))) & 255u; }`);
    return lines.join('\n');
  }
  if (half) {
    const four = vectors
      ? `vec4<f32>(${memory}[at >> 2u])`
      : `vec4<f32>(${fours((k) => `f32(${item(`at + ${k}u`)})`).join(', ')})`;
    lines.push(
      `fn read_${name}(i: u32) -> ${t} { ${at} return ${seen(t, `f32(${item('at')})`)}; }`,
      `fn read4_${name}(i: u32) -> vec4<${t}> { ${at} return ${seen(t, four, true)}; }`,
    );
    if (!written) return lines.join('\n');
    const store4 = vectors
      ? `${memory}[at >> 2u] = halves;`
      : fours((k) => `${item(`at + ${k}u`)} = halves[${k}];`).join(' ');
    lines.push(
      `fn write_${name}(i: u32, value: ${t}) { ${at} ${item('at')} = bitcast<vec2<f16>>(half_word(${float(t, 'value')})).x; }`,
      `fn write4_${name}(i: u32, value: vec4<${t}>) { ${at} let halves = bitcast<vec4<f16>>(half_words(${float(t, 'value', true)})); ${store4} }`,
    );
    return lines.join('\n');
  }
  const word = (k: number): string =>
    `bitcast<${t}>(vec2<f16>(${item(`2u * at + ${2 * k}u`)}, ${item(`2u * at + ${2 * k + 1}u`)}))`;
  const four = vectors
    ? [0, 1].map((k) => `bitcast<vec2<${t}>>(${memory}[(at >> 1u) + ${k}u])`).join(', ')
    : fours(word).join(', ');
  lines.push(
    `fn read_${name}(i: u32) -> ${t} { ${at} return ${word(0)}; }`,
    `fn read4_${name}(i: u32) -> vec4<${t}> { ${at} return vec4<${t}>(${four}); }`,
  );
  if (!written) return lines.join('\n');
  const store = `let halves = bitcast<vec2<f16>>(value); ${item('2u * at')} = halves.x; ${item('2u * at + 1u')} = halves.y;`;
  const store4 = vectors
    ? [0, 1].map((k) => `${memory}[(at >> 1u) + ${k}u] = bitcast<vec4<f16>>(value.${k === 0 ? 'xy' : 'zw'});`).join(' ')
    : fours((k) => `write_${name}(i + ${k}u, value[${k}]);`).join(' ');
  lines.push(
    `fn write_${name}(i: u32, value: ${t}) { ${at} ${store} }`,
    `fn write4_${name}(i: u32, value: vec4<${t}>) { ${vectors ? at : ''} ${store4} }`,
  );
  return lines.join('\n');
}
