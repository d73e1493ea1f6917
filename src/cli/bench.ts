// `anneal bench`: throughput as a share of the machine's own limit, with peers in the same run.

import { isCuda } from '../backend/cuda.js';
import { compareReports } from '../bench/compare.js';
import { eventLoopWorks } from '../bench/event_loop.js';
import { writeBenchPage } from '../bench/html.js';
import { type PeerName, peerNames } from '../bench/peers.js';
import { readReport, writeReport } from '../bench/report.js';
import { runBench } from '../bench/run.js';
import { select } from '../bench/select.js';
import { largeWorks, works } from '../bench/works.js';
import { AnnealError } from '../errors.js';
import { writeFileAtomic } from '../io/atomic.js';
import {
  benchTable,
  comparisonTable,
  describeMachine,
  EMULATED,
  eventLoopTable,
  limitLines,
  markdownTable,
} from './bench_table.js';
import { type DeviceOptions, useDevice } from './device.js';
import { INTERRUPTED, Interrupt } from './interrupt.js';
import { WorkProgress } from './work_progress.js';

export interface BenchCommandOptions extends DeviceOptions {
  readonly only?: string;
  readonly full: boolean;
  readonly threads?: number;
  readonly peers?: readonly PeerName[];
  readonly seed: number;
  readonly budget: number;
  readonly json?: string;
  readonly html?: string;
  readonly markdown?: string;
  readonly compare?: string;
  readonly list?: boolean;
}

/** The names in a comma-separated list. @throws E_ARGUMENT for one that is no peer */
export function peersOf(text: string): PeerName[] {
  return text.split(',').map((name) => {
    const found = peerNames.find((peer) => peer === name.trim());
    if (found === undefined) {
      throw new AnnealError('E_ARGUMENT', `bench: expected peers of ${peerNames.join(', ')}, received '${name}'`);
    }
    return found;
  });
}

function list(): void {
  for (const { work, group, label } of [...works, ...largeWorks, ...eventLoopWorks])
    console.log(`${group.padEnd(10)} ${work.padEnd(30)} ${label}`);
}

/** Measures and gives the exit code: 0, 1 when a result is wrong or a share above 100%, 130 when interrupted. */
export async function bench(options: BenchCommandOptions): Promise<number> {
  if (options.list) {
    list();
    return 0;
  }
  const old = options.compare === undefined ? null : await readReport(options.compare);
  const backend = await useDevice(options);
  const { name, software } = backend;
  if (isCuda(backend) && backend.cuda.about.emulated) console.error(EMULATED);
  const chosen = select(options.only, { device: name, few: software && !options.full });
  using interrupt = new Interrupt();
  const beside = options.peers === undefined ? '' : `, beside ${options.peers.join(', ')}`;
  console.error(`Measuring ${chosen.works.length + chosen.eventLoop.length} works${beside}. Each is verified first.`);
  using progress = new WorkProgress();
  try {
    const report = await runBench({
      ...chosen,
      ...(options.threads === undefined ? {} : { threads: options.threads }),
      ...(options.precision === undefined ? {} : { precision: options.precision }),
      peers: options.peers ?? [],
      seed: options.seed,
      budgetMs: options.budget,
      signal: interrupt.signal,
      onProgress: (state) => progress.show(state),
    });
    progress.stop();
    for (const line of describeMachine(report.machine)) console.log(line);
    for (const line of limitLines(report.limits)) console.log(line);
    if (report.results.length > 0) console.log(`\n${benchTable(report)}`);
    if (report.eventLoop !== undefined) console.log(`\n${eventLoopTable(report.eventLoop)}`);
    if (old !== null) console.log(`\n${comparisonTable(compareReports(old, report))}`);
    if (options.json !== undefined) {
      await writeReport(options.json, report);
      console.log(`JSON ${options.json}`);
    }
    if (options.html !== undefined) {
      await writeBenchPage(options.html, report);
      console.log(`HTML ${options.html}`);
    }
    if (options.markdown !== undefined) {
      const lines = [...describeMachine(report.machine), ...limitLines(report.limits)].map((line) => `- ${line}`);
      await writeFileAtomic(options.markdown, [`${lines.join('\n')}\n\n${markdownTable(report)}\n`]);
      console.log(`Markdown ${options.markdown}`);
    }
    for (const failure of report.failures ?? []) console.error(`FAILED ${failure}`);
    return report.failures === undefined ? 0 : 1;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    progress.stop();
    console.error('Interrupted.');
    return INTERRUPTED;
  }
}
