// The script of the HTML report: draws the charts from the JSON in #report-data with uPlot and plot.js, which stand before it.
(() => {
  const { uPlot, plots } = window;
  const data = JSON.parse(document.getElementById('report-data').textContent);
  const holder = document.getElementById('charts');
  const height = 260;
  const colors = 8;
  const ends = Object.values(data.series).flatMap(({ x }) => (x.length > 0 ? [x[0], x.at(-1)] : []));
  // All charts have the steps of the run, whatever they have values for.
  const steps = plots.stepsRange(Math.min(...ends), Math.max(...ends));
  let charts = [];

  // The lines of a chart: { x, values, label, color, faint, points, dash, hidden }. A noisy one is two, the second smoothed.
  function linesOf(chart) {
    const lines = chart.lines.flatMap((line, index) => {
      const { smooth, ...raw } = data.series[line.series];
      const style = { ...line, ...(index >= colors ? { dash: [6, 4] } : {}) };
      const drawn = ({ x, y }) => ({
        ...style,
        x,
        values: chart.log ? y.map((value) => (value > 0 ? value : null)) : y,
      });
      if (smooth === undefined) return [drawn(raw)];
      return [{ ...drawn(raw), faint: true, label: 'raw' }, drawn(smooth)];
    });
    return lines.filter(({ values }) => values.some((value) => value !== null));
  }

  function options(chart, lines, width) {
    const shown = lines.filter(({ hidden }) => !hidden).map(({ values }) => values);
    const floor = plots.floorOf(chart, shown);
    const { value: print, tick } = plots.formats[chart.format];
    const guides = (data.guides[chart.id] ?? []).map((value) => ({ value }));
    return {
      width,
      height,
      padding: [8, 20, 0, 0],
      scales: {
        x: { time: false, range: ({ data: [x] }, low, high) => (low > x[0] || high < x.at(-1) ? [low, high] : steps) },
        y: plots.yScale(chart, guides, () => floor),
      },
      axes: plots.axes(chart),
      series: [
        { label: 'step', value: (plot, value) => plots.whole(value ?? plot.data[0].at(-1)) },
        ...lines.map(({ values, label, color, faint, points, dash, hidden }) => ({
          label,
          show: hidden !== true,
          stroke: plots.withAlpha(plots.color(`c${color}`), faint ? 0.28 : 1),
          width: faint ? 1 : 1.75,
          dash,
          spanGaps: true,
          points: { show: points === true || plots.isPoint(values), size: 6, fill: plots.color('card') },
          value: (plot, value, series, index) => {
            const found = index == null ? plots.lastValue(plot.data[series]) : value;
            return found == null ? '–' : print(found);
          },
        })),
      ],
      cursor: { sync: { key: 'step' }, dataIdx: plots.nearest, focus: { prox: lines.length > 3 ? 24 : -1 } },
      focus: { alpha: 0.25 },
      hooks: { draw: [(plot) => plots.drawGuides(plot, guides, tick)] },
    };
  }

  function element(tag, className, text = '') {
    const node = document.createElement(tag);
    node.className = className;
    node.textContent = text;
    return node;
  }

  function build() {
    for (const { plot } of charts) plot.destroy();
    holder.replaceChildren();
    charts = data.charts.flatMap((chart) => {
      const lines = linesOf(chart);
      if (lines.length === 0) return [];
      const card = element('section', chart.wide ? 'card wide' : 'card');
      const head = element('div', 'head');
      const zoom = holder.childElementCount === 0 ? 'drag to zoom, double-click to go back' : '';
      head.append(element('h2', '', chart.title), element('span', 'note', chart.note || zoom));
      const place = element('div', 'plot');
      card.append(head, place);
      holder.append(card);
      const table = uPlot.join(lines.map(({ x, values }) => [x, values]));
      return [{ place, plot: new uPlot(options(chart, lines, place.clientWidth), table, place) }];
    });
  }

  const resize = new ResizeObserver(() => {
    for (const { place, plot } of charts) {
      if (place.clientWidth !== plot.width) plot.setSize({ width: place.clientWidth, height });
    }
  });

  document.addEventListener('themechange', build);
  build();
  resize.observe(holder);
})();
