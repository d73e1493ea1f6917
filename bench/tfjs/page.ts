// The comparison as a table for the terminal and as one HTML page that needs no network.
import { fileURLToPath } from 'node:url';
import { escapeXml } from '../../src/chart/svg.js';
import { integer, significant } from '../../src/report/format.js';
import { asset, facts, renderPage, uplotFile } from '../../src/report/page.js';
import type { Job } from './job.js';
import { type Agreement, median, type Side } from './side.js';

export interface Comparison {
  readonly job: Pick<Job, 'net' | 'backend' | 'batch' | 'steps' | 'threads' | 'seed' | 'lr' | 'momentum'>;
  readonly anneal: Side;
  readonly tfjs: Side;
  readonly agreement: Agreement;
}

/** Which kernels a use lacks, by backend of tfjs. */
export interface OpSupport {
  readonly use: string;
  readonly lacks: Readonly<Record<string, readonly string[]>>;
}

export interface Story {
  readonly comparisons: readonly Comparison[];
  /** Jobs that could not be compared, and why. */
  readonly notes: readonly string[];
  readonly support: readonly OpSupport[];
  readonly machine: Readonly<Record<string, unknown>>;
}

const imagesPerSecond = (side: Side, batch: number): number => (batch / median(side.ms)) * 1e3;

/** Rows of a comparison: what, ours, theirs, by which factor. */
export function rows({ job, anneal, tfjs }: Comparison): string[][] {
  const row = (name: string, ours: number, theirs: number, show: (x: number) => string, ratio: number): string[] => [
    name,
    show(ours),
    show(theirs),
    `${ratio.toFixed(ratio < 10 ? 2 : 0)}x`,
  ];
  const [a, b] = [imagesPerSecond(anneal, job.batch), imagesPerSecond(tfjs, job.batch)];
  const [first, last] = [anneal.losses.length - 1, tfjs.losses.length - 1];
  return [
    row('images/s, median step', a, b, (x) => (x < 10 ? x.toPrecision(2) : integer(x)), a / b),
    row('ms a step', median(anneal.ms), median(tfjs.ms), significant, median(tfjs.ms) / median(anneal.ms)),
    row('peak memory, MB', anneal.peakMb, tfjs.peakMb, integer, tfjs.peakMb / anneal.peakMb),
    row(
      'of it while training, MB',
      anneal.peakMb - anneal.startMb,
      tfjs.peakMb - tfjs.startMb,
      integer,
      (tfjs.peakMb - tfjs.startMb) / (anneal.peakMb - anneal.startMb),
    ),
    row(
      'event loop late by at most, ms',
      anneal.loopDelayMs,
      tfjs.loopDelayMs,
      significant,
      tfjs.loopDelayMs / anneal.loopDelayMs,
    ),
    ['last loss', (anneal.losses[first] ?? 0).toFixed(6), (tfjs.losses[last] ?? 0).toFixed(6), ''],
  ];
}

export const titleOf = ({ job }: Comparison): string =>
  `${job.net.toUpperCase()}, batch ${job.batch}, ${job.steps} steps: anneal and tfjs-${job.backend}`;

/** What a reader must know about the peer's device. */
export const caveat = ({ tfjs }: Comparison): string =>
  /swiftshader|llvmpipe|lavapipe/i.test(tfjs.detail)
    ? 'tfjs-webgpu runs on a software adapter here, which is a CPU; a GPU is much faster'
    : '';

export const agreementText = ({ largest, step, early, agree }: Agreement): string =>
  `the losses ${agree ? 'agree' : 'DO NOT AGREE'}: largest difference ${largest.toExponential(1)} (step ${step + 1}), within ten steps ${early.toExponential(1)}`;

function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const cells = (tag: string, values: readonly string[]): string =>
    `<tr>${values.map((value, i) => `<${tag}${i === 0 ? ' style="text-align:left"' : ''}>${escapeXml(value)}</${tag}>`).join('')}</tr>`;
  return `<div class="scroll"><table><thead>${cells('th', head)}</thead><tbody>
${body.map((values) => cells('td', values)).join('\n')}
</tbody></table></div>`;
}

const card = (title: string, note: string, content: string): string =>
  `<section class="card"><div class="head"><h2>${escapeXml(title)}</h2><span class="note">${escapeXml(note)}</span></div>
${content}</section>`;

export function renderStory({ comparisons, notes, support, machine }: Story): Promise<string> {
  const charts = comparisons.flatMap(({ anneal, tfjs, job }, i) => {
    const theirs = `tfjs-${job.backend}`;
    return [
      {
        id: `loss${i}`,
        lines: [
          { label: theirs, values: tfjs.losses, paint: 'c2', wide: true },
          { label: 'anneal', values: anneal.losses, paint: 'c1' },
        ],
      },
      {
        id: `ms${i}`,
        log: true,
        lines: [
          { label: theirs, values: tfjs.ms, paint: 'c2' },
          { label: 'anneal', values: anneal.ms, paint: 'c1' },
        ],
      },
    ];
  });
  const parts = comparisons.map((comparison, i) => {
    const { anneal, tfjs, agreement } = comparison;
    const plots = `<div class="pair">
${card('Loss', 'the wide line is tfjs, the thin one on it is anneal', `<div id="loss${i}"></div>`)}
${card('Milliseconds a step', 'logarithmic', `<div id="ms${i}"></div>`)}
</div>`;
    const head = ['', `anneal (${anneal.detail})`, `tfjs ${tfjs.version} (${tfjs.detail})`, ''];
    const note = [agreementText(agreement), caveat(comparison)].filter(Boolean).join('; ');
    return card(titleOf(comparison), note, table(head, rows(comparison))) + plots;
  });
  const backends = Object.keys(support[0]?.lacks ?? {});
  const supported = support.map(({ use, lacks }) => [
    use,
    ...backends.map((backend) => (lacks[backend]?.length ? `no ${lacks[backend].join(', ')}` : 'yes')),
  ]);
  return renderPage({
    title: 'anneal and TensorFlow.js side by side',
    body: [
      ...parts,
      ...notes.map((note) => card('Not compared', '', `<p>${escapeXml(note)}</p>`)),
      card('What training needs of tfjs', 'kernels by backend', table(['', ...backends], supported)),
      facts('Machine', machine),
    ].join('\n'),
    data: charts,
    styles: [uplotFile('uPlot.min.css'), asset('page/page.css'), asset('report/report.css'), asset('report/bench.css')],
    scripts: [
      uplotFile('uPlot.iife.min.js'),
      asset('page/theme.js'),
      fileURLToPath(new URL('charts.js', import.meta.url)),
    ],
  });
}
