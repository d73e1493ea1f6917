// The benchmark's rows and limits as plain text.
import type { Comparison } from '../bench/compare.js';
import { EVENT_LOOP_BAR_MS, type EventLoopResult } from '../bench/event_loop.js';
import { type BenchLimits, type BenchMachine, type BenchReport, type BenchResult, peersIn } from '../bench/report.js';
import { percent, significant } from '../report/format.js';
import { tableHead, tableRow } from '../report/text_table.js';

interface Column {
  readonly name: string;
  readonly cell: (row: BenchResult) => string;
}

/** GFLOP/s of what the peak bounds, GB/s of what traffic bounds. */
export function rateOf({ bound, gflops, gbps }: BenchResult): string {
  const [value, unit] = bound === 'compute' ? [gflops, 'GFLOP/s'] : [gbps, 'GB/s'];
  return value === undefined ? '–' : `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}

/** What a call costs has no limit to be a share of. */
export function shareText({ group, shareOfLimit }: BenchResult): string {
  return group === 'overhead' ? '–' : percent(shareOfLimit).replace(/\.(\d)\d%/, '.$1%');
}

function peerText(row: BenchResult, name: string): string {
  const peer = row.peers[name];
  if (peer === undefined) return '–';
  return `${significant(peer.msMedian)} (${peer.ratio.toFixed(2)}x${peer.note ? ` ${peer.note}` : ''})`;
}

/** Stands first wherever a run on an emulated GPU is shown. */
export const EMULATED = 'EMULATED: this CPU plays the GPU. The numbers mean nothing.';

export function describeMachine(machine: BenchMachine): string[] {
  const { cpu, cores, threads, isa, memoryGB, os, node, date, emulated = false, precision } = machine;
  return [
    ...(emulated ? [EMULATED] : []),
    ...(precision === undefined
      ? []
      : [`Products in ${precision}; shares are of the FP32 peak, which they may exceed.`]),
    `${cpu}, ${cores} cores, ${memoryGB} GB, ${os}, Node ${node}; ${isa} kernels, ${threads} threads; ${date.slice(0, 10)}`,
    ...Object.entries(machine.peers).map(([name, detail]) => `${name}: ${detail}`),
  ];
}

export function limitLines(limits: BenchLimits): string[] {
  if (limits.source !== undefined) return [limits.source];
  const isas = Object.entries(limits.fma).map(
    ([isa, { gflops1, gflopsAll }]) => `${isa} ${gflops1.toFixed(0)} / ${gflopsAll.toFixed(0)}`,
  );
  const rate = (value: number): string => value.toFixed(0);
  return [
    `multiply-add peak, GFLOP/s on one / all threads: ${isas.join(', ')}`,
    `GB/s: triad ${rate(limits.triadGBps)}, read ${rate(limits.readGBps)}; in caches L1 ${rate(limits.l1GBps)}, L2 ` +
      `${rate(limits.l2GBps)}, L3 ${rate(limits.l3GBps)}`,
    `one pass over 11.15 M parameters: SGD ${limits.sgdLoopMs.toFixed(2)} ms, AdamW ${limits.adamwLoopMs.toFixed(2)} ms`,
  ];
}

/** Rows under their column names; the first `left` columns stand at the left, numbers at the right. */
function textTable(names: readonly string[], rows: readonly (readonly string[])[], left: number): string {
  const widths = names.map((name, i) => Math.max(name.length, ...rows.map((cells) => cells[i]?.length ?? 0)));
  const aligned = (cells: readonly string[]): string[] =>
    cells.map((cell, i) => (i < left ? cell.padEnd(widths[i] ?? 0) : cell));
  return [tableHead(aligned(names), widths), ...rows.map((cells) => tableRow(aligned(cells), widths))].join('\n');
}

const what = ({ figure, cache, threads }: BenchResult): string => `${figure} ${cache} ${threads}t`;

/** All rows. */
export function benchTable({ results }: Pick<BenchReport, 'results'>): string {
  const columns: Column[] = [
    { name: 'work', cell: ({ work }) => work },
    { name: 'what', cell: what },
    { name: 'ms', cell: ({ msMedian }) => significant(msMedian) },
    { name: 'min', cell: ({ msMin }) => significant(msMin) },
    { name: 'max', cell: ({ msMax }) => significant(msMax) },
    { name: 'n', cell: ({ samples }) => String(samples) },
    { name: 'rate', cell: rateOf },
    { name: 'limit', cell: shareText },
    { name: 'bound', cell: ({ bound }) => bound },
    ...peersIn(results).map((name) => ({ name, cell: (row: BenchResult) => peerText(row, name) })),
  ];
  return textTable(
    columns.map(({ name }) => name),
    results.map((row) => columns.map(({ cell }) => cell(row))),
    2,
  );
}

/** How free the event loop is while a net trains, ms. */
export function eventLoopTable(results: readonly EventLoopResult[]): string {
  const names = ['training', 'steps', 'ms a step', 'loop p50', 'p99', 'max', 'request p50', 'p99', 'max', 'n'];
  const ms = (value: number): string => value.toFixed(2);
  const rows = results.map(({ work, steps, msPerStep, loop, request }) => [
    work,
    String(steps),
    significant(msPerStep),
    ...[loop.p50, loop.p99, loop.max, request.p50, request.p99, request.max].map(ms),
    String(request.samples),
  ]);
  const bar = `the loop's delay, 1 ms when it is free; meant to be below ${EVENT_LOOP_BAR_MS} ms at p99`;
  return `${textTable(names, rows, 1)}\n${bar}`;
}

/** Rows that both reports have, old time over new, and which changes are beyond the spread of the samples. */
export function comparisonTable({ changes, onlyOld, onlyNew, machines }: Comparison): string {
  const rows = changes.map(({ row, before, ratio, verdict }) => [
    row.work,
    what(row),
    significant(before.msMedian),
    significant(row.msMedian),
    `${ratio.toFixed(2)}x`,
    verdict === 'same' ? '' : verdict,
  ]);
  return [
    ...(machines.length === 0 ? [] : [`Not the same machine (${machines.join('; ')}): times say little.`]),
    textTable(['work', 'what', 'old ms', 'new ms', 'old/new', 'beyond the spread'], rows, 2),
    ...(onlyOld.length === 0 ? [] : [`only in the old run: ${onlyOld.length} rows`]),
    ...(onlyNew.length === 0 ? [] : [`only in this run: ${onlyNew.length} rows`]),
  ].join('\n');
}

/** Times in ms with three digits. */
const short = (ms: number): string => (ms >= 1000 ? ms.toFixed(0) : Number(ms.toPrecision(3)).toString());

/**
 * A table for a README, a line for each work: kernels alone with their share of the limit (cold where operands leave the
 * caches), the call, the captured call, and of each peer its time and that over each of ours.
 */
export function markdownTable({ results }: Pick<BenchReport, 'results'>): string {
  const peers = peersIn(results);
  const threads = Math.max(...results.map((row) => row.threads));
  const works = [...new Set(results.map(({ work }) => work))];
  const lines = works.map((work) => {
    const rows = results.filter((row) => row.work === work);
    const find = (
      figure: BenchResult['figure'],
      cache: BenchResult['cache'],
      count = threads,
    ): BenchResult | undefined =>
      rows.find((row) => row.figure === figure && row.cache === cache && row.threads === count);
    const [kernel, cold, call] = [find('kernel', 'warm'), find('kernel', 'cold'), find('call', 'warm')];
    const captured = find('captured', 'warm');
    const one = threads === 1 ? undefined : find('kernel', 'warm', 1);
    const time = (row: BenchResult | undefined): string => (row === undefined ? '' : short(row.msMedian));
    const share = (row: BenchResult | undefined): string => (row === undefined ? '' : shareText(row));
    return [
      `\`${work}\``,
      time(kernel),
      share(kernel?.group === 'memory' ? cold : kernel),
      share(one),
      time(call),
      time(captured),
      ...peers.map((name) => {
        const peer = kernel?.peers[name];
        if (peer === undefined) return '';
        const ratios = [kernel, call, captured].flatMap((row) => row?.peers[name]?.ratio ?? []);
        return `${short(peer.msMedian)} (${ratios.map((ratio) => `${ratio.toFixed(2)}x`).join(', ')})`;
      }),
    ];
  });
  const names = ['work', 'kernel, ms', 'of limit', 'one core', 'call, ms', 'captured, ms', ...peers];
  return [names, names.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
