// The script of the HTML report: draws the charts from the JSON in #report-data with uPlot and plot.js, which stand before it.
(() => {
  const { uPlot, plots } = window;
  const data = JSON.parse(document.getElementById('report-data').textContent);
  const holder = document.getElementById('charts');
  const height = 260;
  const colors = 8;
  let charts = [];

  // The lines of a chart: { x, values, label, paint, faint, points, dash, hidden }. A noisy one is two, the second smoothed.
  function linesOf(chart) {
    const lines = chart.lines.flatMap((line, index) => {
      const { x, y } = data.series[line.series];
      const values = chart.log ? y.map((value) => (value > 0 ? value : null)) : y;
      const paint = plots.paintOf(chart, line, index);
      const drawn = { ...line, x, values, paint, ...(index >= colors ? { dash: [6, 4] } : {}) };
      if (!line.noisy || values.length < 200) return [drawn];
      const smoothed = plots.smooth(values, 1 - 100 / values.length);
      return [
        { ...drawn, faint: true, label: 'each step' },
        { ...drawn, values: smoothed },
      ];
    });
    return lines.filter(({ values }) => values.some((value) => value !== null));
  }

  function options(chart, lines, width) {
    const shown = lines.filter(({ hidden }) => !hidden).map(({ values }) => values);
    const floor = plots.floorOf(chart, shown);
    const { value: print } = plots.formats[chart.format];
    return {
      width,
      height,
      padding: [8, 20, 0, 0],
      scales: { x: { time: false }, y: plots.yScale(chart, () => floor) },
      axes: plots.axes(chart),
      series: [
        { label: 'step', value: (plot, value) => plots.whole(value ?? plot.data[0].at(-1)) },
        ...lines.map(({ label, paint, faint, points, dash, hidden }) => ({
          label,
          show: hidden !== true,
          stroke: plots.withAlpha(plots.color(paint), faint ? 0.28 : 1),
          width: faint ? 1 : 1.75,
          dash,
          spanGaps: true,
          points: { show: points === true, size: 6, fill: plots.color('card') },
          value: (plot, value, series, index) => {
            const found = index == null ? plots.lastValue(plot.data[series]) : value;
            return found == null ? '–' : print(found);
          },
        })),
      ],
      cursor: { sync: { key: 'step' }, dataIdx: plots.nearest, focus: { prox: lines.length > 3 ? 24 : -1 } },
      focus: { alpha: 0.25 },
      hooks: chart.guides === undefined ? {} : { draw: [(plot) => plots.drawGuides(plot, chart.guides)] },
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
