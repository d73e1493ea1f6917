// Reads what ptxas made of a .cu: registers, shared memory and instructions of each kernel in a cubin, an ELF file. Instructions are 16
// bytes since compute capability 7.0, the opcode in the low 12 bits. NVIDIA does not document the encoding: what stands here was read off
// small kernels and is held against one whose counts are known (test/cuda/cubin.test.ts).

/** Instructions by kind; loads and stores by their width in bits. */
export type Counts = Readonly<Record<string, number>>;

export interface CubinKernel {
  readonly name: string;
  readonly registers: number;
  /** Bytes of shared memory that are part of the kernel. */
  readonly sharedBytes: number;
  /** Of `__launch_bounds__`; 0: it says none. */
  readonly maxThreads: number;
  readonly counts: Counts;
  /** Those of the innermost loop with the most FFMA or HMMA; null: no such loop. */
  readonly mainLoop: Counts | null;
}

const FFMA = 0x223;
const HMMA = 0x23c;
/** Kinds by opcode; the first are of 7.5. */
const plain: Readonly<Record<number, string>> = { [FFMA]: 'FFMA', [HMMA]: 'HMMA', 4014: 'LDGSTS' };
const memory: Readonly<Record<number, string>> = {
  897: 'LDG',
  2433: 'LDG',
  902: 'STG',
  2438: 'STG',
  2436: 'LDS',
  904: 'STS',
  2435: 'LDL',
  903: 'STL',
};
const branches = new Set([0x947, 0x547]);
/** By the field of a load's or store's width. */
const widths = [8, 8, 16, 16, 32, 64, 128];

const REGISTER_COUNT = 0x2f;
const MAX_THREADS = 0x05;

interface Section {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly type: number;
}

function sectionsOf(view: DataView): Section[] {
  const at = Number(view.getBigUint64(0x28, true));
  const count = view.getUint16(0x3c, true);
  const raw = Array.from({ length: count }, (_, i) => {
    const start = at + 64 * i;
    return {
      name: view.getUint32(start, true),
      type: view.getUint32(start + 4, true),
      offset: Number(view.getBigUint64(start + 24, true)),
      size: Number(view.getBigUint64(start + 32, true)),
      link: view.getUint32(start + 40, true),
    };
  });
  const names = raw[view.getUint16(0x3e, true)];
  return raw.map((section) => ({ ...section, name: textAt(view, (names?.offset ?? 0) + section.name) }));
}

function textAt(view: DataView, at: number): string {
  let end = at;
  while (view.getUint8(end) !== 0) end++;
  return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, end - at));
}

/** The 32-bit values of an attribute in a .nv.info section, each list as it stands. */
function attributes(view: DataView, section: Section | undefined, wanted: number): number[][] {
  const found: number[][] = [];
  if (section === undefined) return found;
  const end = section.offset + section.size;
  for (let at = section.offset; at + 4 <= end; ) {
    const format = view.getUint8(at);
    const size = format === 4 ? view.getUint16(at + 2, true) : 0; // others hold two bytes in place of a size
    if (view.getUint8(at + 1) === wanted && format === 4)
      found.push(Array.from({ length: size / 4 }, (_, i) => view.getUint32(at + 4 + 4 * i, true)));
    at += 4 + size;
  }
  return found;
}

interface Instruction {
  readonly opcode: number;
  readonly kind: string | null;
  /** Instructions from the next one to the target. */
  readonly jump: number | null;
}

function instructionAt(view: DataView, at: number, capability: number): Instruction {
  const low = view.getBigUint64(at, true);
  const high = view.getBigUint64(at + 8, true);
  const opcode = Number(low & 0xfffn);
  const stem = memory[opcode];
  const kind = stem === undefined ? (plain[opcode] ?? null) : `${stem}.${widths[Number((high >> 9n) & 7n)]}`;
  if (!branches.has(opcode)) return { opcode, kind, jump: null };
  // In words of four bytes: from bit 34 on, and since 9.0 the lowest eight bits in bits 16 to 23.
  const upper = BigInt.asIntN(48, ((low >> 34n) | (high << 30n)) & 0xffffffffffffn);
  const words = capability < 90 ? upper : upper * 256n + ((low >> 16n) & 0xffn);
  return { opcode, kind, jump: Number(words) / 4 };
}

function countsOf(instructions: readonly Instruction[]): Counts {
  const counts: Record<string, number> = { all: instructions.length };
  for (const { kind } of instructions) if (kind !== null) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

function mainLoopOf(instructions: readonly Instruction[]): Counts | null {
  const weight = (counts: Counts): number => (counts.FFMA ?? 0) + 64 * (counts.HMMA ?? 0);
  const loops = instructions.flatMap(({ jump }, i) =>
    jump !== null && jump < -1 && i + 1 + jump >= 0 ? [{ from: i + 1 + jump, to: i + 1 }] : [],
  );
  // Of loops within each other the innermost: the shortest that has as many.
  const counted = loops.map(({ from, to }) => countsOf(instructions.slice(from, to)));
  const most = Math.max(0, ...counted.map(weight));
  if (most === 0) return null;
  return counted.filter((counts) => weight(counts) === most).sort((a, b) => (a.all ?? 0) - (b.all ?? 0))[0] ?? null;
}

/** The kernels of a cubin. `capability`: 80 for 8.0. @throws Error where the bytes are none */
export function readCubin(bytes: Uint8Array, capability: number): CubinKernel[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 64 || view.getUint32(0, true) !== 0x464c457f)
    throw new Error('expected a cubin, received something else');
  const sections = sectionsOf(view);
  const byName = new Map(sections.map((section) => [section.name, section]));
  const symbols = byName.get('.symtab');
  const strings = symbols && sections[symbols.link];
  const symbolName = (index: number): string =>
    textAt(view, (strings?.offset ?? 0) + view.getUint32((symbols?.offset ?? 0) + 24 * index, true));
  const registers = new Map(
    attributes(view, byName.get('.nv.info'), REGISTER_COUNT).map(([symbol = 0, count = 0]) => [
      symbolName(symbol),
      count,
    ]),
  );
  return sections
    .filter(({ name }) => name.startsWith('.text.'))
    .map((section) => {
      const name = section.name.slice('.text.'.length);
      const instructions = Array.from({ length: section.size / 16 }, (_, i) =>
        instructionAt(view, section.offset + 16 * i, capability),
      );
      const [bounds = []] = attributes(view, byName.get(`.nv.info.${name}`), MAX_THREADS);
      return {
        name,
        registers: registers.get(name) ?? Number.NaN,
        sharedBytes: byName.get(`.nv.shared.${name}`)?.size ?? 0,
        maxThreads: bounds.slice(0, 3).reduce((a, b) => a * b, bounds.length > 0 ? 1 : 0),
        counts: countsOf(instructions),
        mainLoop: mainLoopOf(instructions),
      };
    });
}

/** What a multiprocessor of each compute capability has (CUDA C++ Programming Guide, "Technical Specifications per Compute Capability"). */
const multiprocessors: Readonly<
  Record<number, { readonly threads: number; readonly blocks: number; readonly sharedKilobytes: number }>
> = {
  75: { threads: 1024, blocks: 16, sharedKilobytes: 64 },
  80: { threads: 2048, blocks: 32, sharedKilobytes: 164 },
  86: { threads: 1536, blocks: 16, sharedKilobytes: 100 },
  89: { threads: 1536, blocks: 24, sharedKilobytes: 100 },
  90: { threads: 2048, blocks: 32, sharedKilobytes: 228 },
  100: { threads: 2048, blocks: 32, sharedKilobytes: 228 },
  120: { threads: 1536, blocks: 24, sharedKilobytes: 100 },
};

/** Threads of a multiprocessor that blocks of such a kernel can fill, as a share of all. `sharedBytes`: of a block, in all. */
export function occupancy(
  capability: number,
  {
    registers,
    threads,
    sharedBytes,
  }: { readonly registers: number; readonly threads: number; readonly sharedBytes: number },
): number {
  const limits = multiprocessors[capability];
  if (limits === undefined) throw new Error(`no limits of compute capability ${capability} are known`);
  const warps = Math.ceil(threads / 32);
  const registersOfWarp = Math.ceil((registers * 32) / 256) * 256;
  const reserved = capability >= 80 ? 1024 : 0; // the system's part of each block
  const blocks = Math.min(
    limits.blocks,
    Math.floor(limits.threads / (32 * warps)),
    Math.floor(Math.floor(65536 / registersOfWarp) / warps),
    sharedBytes + reserved > 0 ? Math.floor((limits.sharedKilobytes * 1024) / (sharedBytes + reserved)) : limits.blocks,
  );
  return (blocks * 32 * warps) / limits.threads;
}
