// The script of the page of `npm run bench:tfjs`: draws the charts in #report-data with uPlot, which stands before it.
(() => {
  const uPlot = window.uPlot;
  const charts = JSON.parse(document.getElementById('report-data').textContent);
  const root = document.documentElement;
  const color = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const number = (value) => (value === null ? '' : Number(value.toPrecision(4)).toLocaleString('en-US'));
  const small = (value) => (value === null ? '' : value.toExponential(0).replace('e+', 'e'));
  let plots = [];

  function options({ log, lines }, width) {
    const axis = {
      stroke: color('muted'),
      grid: { stroke: color('grid'), width: 1 },
      ticks: { show: false },
      font: '11px system-ui, "DejaVu Sans", sans-serif',
    };
    const text = (value) => (value !== null && value !== 0 && Math.abs(value) < 1e-3 ? small(value) : number(value));
    return {
      width,
      height: 280,
      padding: [8, 12, 0, 0],
      scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
      axes: [
        { ...axis, size: 32 },
        { ...axis, size: 64, values: (_plot, values) => values.map(text) },
      ],
      series: [
        { label: 'step' },
        ...lines.map(({ label, paint, wide }) => ({
          label,
          stroke: color(paint) + (wide ? '66' : ''),
          width: wide ? 6 : 1.75,
          points: { show: false },
          value: (_plot, value) => (value == null ? '–' : text(value)),
        })),
      ],
      cursor: { sync: { key: 'step' } },
    };
  }

  function build() {
    for (const plot of plots) plot.destroy();
    plots = charts.map((chart) => {
      const place = document.getElementById(chart.id);
      const steps = chart.lines[0].values.map((_, i) => i + 1);
      return new uPlot(options(chart, place.clientWidth), [steps, ...chart.lines.map(({ values }) => values)], place);
    });
  }

  document.addEventListener('themechange', build);
  window.addEventListener('resize', build);
  build();
})();
