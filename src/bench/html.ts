/** The benchmark as one HTML page that needs no network: roofline, shares of the limits, peers, every row, the machine. */
import { escapeXml } from '../chart/svg.js';
import { writeFileAtomic } from '../io/atomic.js';
import { duration, percent, significant } from '../report/format.js';
import { asset, facts, renderPage } from '../report/page.js';
import { colorOfGroup, colorOfPeer, peerChart, rooflineChart, shareChart } from './charts.js';
import { type BenchReport, type BenchResult, peersIn } from './report.js';

/** The page. @throws AnnealError E_IO when an inlined file cannot be read */
export function renderBenchPage(report: BenchReport): Promise<string> {
  const { machine, limits, results } = report;
  const peers = peersIn(results);
  const groups = [...new Set(results.map(({ group }) => group))];
  const { peers: versions, ...rest } = machine;
  const { fma, ...rates } = limits;
  return renderPage({
    title: 'anneal bench',
    body: [
      tiles(report),
      failures(report),
      card(
        'Roofline',
        'kernels alone, on all threads; hollow: cold caches',
        legend(groups.map((name) => [name, colorOfGroup(name)])) + rooflineChart(results, limits),
      ),
      peers.length === 0
        ? ''
        : card(
            'Beside the peers',
            "each peer's time over ours; bar: our kernel alone, tick: the whole call; right of 1x we are faster",
            legend(peers.map((name, i) => [name, colorOfPeer(i)])) + peerChart(results, peers),
          ),
      card(
        'Share of the limit',
        'kernels alone; a product is held to the multiply-add peak, everything else to bandwidth; above 100%: fewer multiplications than the direct sums (Winograd, no taps in the padding); pale: cold caches',
        legend([
          ['compute', 'var(--c1)'],
          ['bandwidth', 'var(--c3)'],
        ]) + shareChart(results),
      ),
      table(results, peers),
      `<div class="pair">\n${facts('Machine', { ...rest, peers: versions })}\n${facts('Limits', { ...rates, fma })}\n</div>`,
    ].join('\n'),
    styles: [asset('page/page.css'), asset('report/report.css'), asset('report/bench.css')],
    scripts: [asset('page/theme.js')],
  });
}

/** Writes the page atomically. @throws AnnealError E_IO */
export async function writeBenchPage(path: string, report: BenchReport): Promise<void> {
  await writeFileAtomic(path, [await renderBenchPage(report)]);
}

function card(title: string, note: string, content: string): string {
  return `<section class="card"><div class="head"><h2>${escapeXml(title)}</h2><span class="note">${escapeXml(note)}</span></div>
${content}</section>`;
}

function legend(entries: readonly (readonly [name: string, color: string])[]): string {
  const items = entries.map(([name, color]) => `<span><i style="background:${color}"></i>${escapeXml(name)}</span>`);
  return `<div class="legend">${items.join('')}</div>\n`;
}

/** A device whose caches are not known has none here. */
function cachesText({ l2GBps, l3GBps, source }: BenchReport['limits']): string {
  return source === undefined ? `L3 ${l3GBps.toFixed(0)}, L2 ${l2GBps.toFixed(0)}` : "by the device's clock";
}

function tiles({ machine, limits, results }: BenchReport): string {
  const { cpu, cores, threads, isa, seconds, date } = machine;
  const items: [string, string, string][] = [
    ['Machine', cpu, `${cores} cores, ${threads} threads, ${isa}`],
    ['Multiply-add peak', `${limits.fmaGflopsAll.toFixed(0)} GFLOP/s`, `one core ${limits.fmaGflops1.toFixed(0)}`],
    ['Triad', `${limits.triadGBps.toFixed(1)} GB/s`, cachesText(limits)],
    ['Optimizer loops', `${limits.sgdLoopMs.toFixed(2)} ms`, `AdamW ${limits.adamwLoopMs.toFixed(2)} ms, 11.15 M`],
    ['Rows', String(results.length), `in ${duration(seconds)}`],
    ['Date', date.slice(0, 10), date.slice(11, 16)],
  ];
  const html = items.map(
    ([name, value, note]) =>
      `<div class="tile"><span>${escapeXml(name)}</span><strong>${escapeXml(value)}</strong><small>${escapeXml(note)}</small></div>`,
  );
  return `<section class="tiles">${html.join('\n')}</section>`;
}

function failures({ failures: found = [] }: BenchReport): string {
  if (found.length === 0) return '';
  const items = found.map((text) => `<li>${escapeXml(text)}</li>`);
  return `<section class="card failed"><h2>Failed</h2><ul>${items.join('\n')}</ul></section>`;
}

function table(results: readonly BenchResult[], peers: readonly string[]): string {
  const names = ['work', '', 'ms', 'min', 'max', 'samples', 'GFLOP/s', 'GB/s', 'of limit', 'bound', ...peers];
  const rate = (value: number | undefined): string => (value === undefined ? '–' : significant(value));
  const rows = results.map((row) => {
    const { work, label, figure, cache, threads, msMedian, msMin, msMax, samples, gflops, gbps, shareOfLimit } = row;
    const cells = [
      `<td title="${escapeXml(label)}">${escapeXml(work)}</td>`,
      `<td>${figure}, ${cache}, ${threads}t</td>`,
      ...[significant(msMedian), significant(msMin), significant(msMax), String(samples), rate(gflops), rate(gbps)].map(
        (text) => `<td>${text}</td>`,
      ),
      `<td>${row.group === 'overhead' ? '–' : percent(shareOfLimit)}</td>`,
      `<td>${row.bound}</td>`,
      ...peers.map((name) => {
        const peer = row.peers[name];
        if (peer === undefined) return '<td>–</td>';
        const note = peer.note === undefined ? '' : ` <small>${escapeXml(peer.note)}</small>`;
        return `<td>${significant(peer.msMedian)} <b class="${peer.ratio >= 1 ? 'won' : 'lost'}">${peer.ratio.toFixed(2)}x</b>${note}</td>`;
      }),
    ];
    return `<tr>${cells.join('')}</tr>`;
  });
  return `<section class="card"><h2>All rows</h2>
<div class="scroll"><table class="rows"><thead><tr>${names.map((name) => `<th>${escapeXml(name)}</th>`).join('')}</tr></thead><tbody>
${rows.join('\n')}
</tbody></table></div></section>`;
}
