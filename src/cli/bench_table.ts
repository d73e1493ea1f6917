// The benchmark's rows and limits as plain text.
import type { BenchLimits, BenchMachine, BenchReport, BenchResult } from '../bench/report.js';
import { percent, significant } from '../report/format.js';
import { tableHead, tableRow } from './table.js';

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

/** Peers that have a figure in some row. */
export function peersIn(results: readonly BenchResult[]): string[] {
  return [...new Set(results.flatMap(({ peers }) => Object.keys(peers)))];
}

export function describeMachine(machine: BenchMachine): string[] {
  const { cpu, cores, threads, isa, memoryGB, os, node, date } = machine;
  return [
    `${cpu}, ${cores} cores, ${memoryGB} GB, ${os}, Node ${node}; ${isa} kernels, ${threads} threads; ${date.slice(0, 10)}`,
    ...Object.entries(machine.peers).map(([name, detail]) => `${name}: ${detail}`),
  ];
}

export function limitLines(limits: BenchLimits): string[] {
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

/** All rows, a header above each group. */
export function benchTable({ results }: Pick<BenchReport, 'results'>): string {
  const peers = peersIn(results);
  const columns: Column[] = [
    { name: 'work', cell: ({ work }) => work },
    { name: 'what', cell: ({ figure, cache, threads }) => `${figure} ${cache} ${threads}t` },
    { name: 'ms', cell: ({ msMedian }) => significant(msMedian) },
    { name: 'min', cell: ({ msMin }) => significant(msMin) },
    { name: 'max', cell: ({ msMax }) => significant(msMax) },
    { name: 'n', cell: ({ samples }) => String(samples) },
    { name: 'rate', cell: rateOf },
    { name: 'limit', cell: shareText },
    { name: 'bound', cell: ({ bound }) => bound },
    ...peers.map((name) => ({ name, cell: (row: BenchResult) => peerText(row, name) })),
  ];
  const rows = results.map((row) => columns.map(({ cell }) => cell(row)));
  const widths = columns.map(({ name }, i) => Math.max(name.length, ...rows.map((cells) => cells[i]?.length ?? 0)));
  const names = columns.map(({ name }) => name);
  // Names stand at the left, numbers at the right.
  const left = (cells: readonly string[]): string[] =>
    cells.map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell));
  return [tableHead(left(names), widths), ...rows.map((cells) => tableRow(left(cells), widths))].join('\n');
}
