// The script of the HTML report: draws the charts from the JSON in #report-data with uPlot, which stands before it.
(() => {
  const uPlot = window.uPlot;
  const data = JSON.parse(document.getElementById('report-data').textContent);
  const root = document.documentElement;
  const holder = document.getElementById('charts');
  const guideRatio = 1e-3;
  const height = 260;
  const colors = 8;
  let charts = [];

  const has = (column) => column.some((value) => value !== null);
  const color = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const withAlpha = (hex, alpha) =>
    hex +
    Math.round(alpha * 255)
      .toString(16)
      .padStart(2, '0');

  // Exponential moving average over about 1% of the steps, corrected for its start as Adam's moments are.
  function smooth(values) {
    const decay = 1 - 1 / Math.max(1, values.length / 100);
    let mean = 0;
    let weight = 0;
    return values.map((value) => {
      if (value === null) return null;
      mean = decay * mean + (1 - decay) * value;
      weight = decay * weight + (1 - decay);
      return mean / weight;
    });
  }

  const number = (value) => {
    const size = Math.abs(value);
    if (size === 0) return '0';
    return size < 1e-3 || size >= 1e6 ? value.toExponential(2) : value.toPrecision(4);
  };
  const tick = (value) => {
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-3 || size >= 1e6)
      ? value.toExponential().replace('e+', 'e')
      : value.toLocaleString('en-US');
  };
  const percent = (value) => `${(100 * value).toFixed(2)}%`;
  const percentTick = (value) => `${Number((100 * value).toPrecision(6))}%`;
  const whole = (value) => Math.round(value).toLocaleString('en-US');

  // Lines: { label, table, values, color, faint, points, dash }. `table` names whose steps the values belong to.
  function allCharts() {
    const { steps, epochs, updateRatios } = data;
    const line = (table, label, values, paint, more = {}) => ({ x: table.step, label, values, paint, ...more });
    const epochPoints = { points: true };
    const list = [
      {
        title: 'Loss',
        note: 'each step faint, smoothed bold; drag to zoom, double-click to go back',
        value: number,
        log: true,
        lines: [
          line(steps, 'each step', steps.loss, 'c1', { faint: true }),
          line(steps, 'training', smooth(steps.loss), 'c1'),
          ...(steps.step.length === 0 ? [line(epochs, 'training', epochs.loss, 'c1', epochPoints)] : []),
          line(epochs, 'validation', epochs.valLoss, 'c2', epochPoints),
        ],
      },
      {
        title: 'Accuracy',
        note: 'raw parameters and their EMA; the lowest tenth is cut off',
        value: percent,
        cut: 0.1,
        tick: percentTick,
        lines: [
          ...(has(steps.accuracy)
            ? [
                line(steps, 'each step', steps.accuracy, 'c1', { faint: true }),
                line(steps, 'training', smooth(steps.accuracy), 'c1'),
              ]
            : [line(epochs, 'training', epochs.accuracy, 'c1', epochPoints)]),
          line(epochs, 'validation', epochs.valAccuracy, 'c2', epochPoints),
          line(epochs, 'validation, EMA', epochs.emaValAccuracy, 'c3', epochPoints),
        ],
      },
      {
        title: 'Update-to-weight ratio',
        note: 'norm of the update over norm of the weights, by layer; 1e-3 is the usual guide',
        value: (value) => value.toExponential(2),
        log: true,
        cut: 0.02,
        wide: true,
        guide: guideRatio,
        lines: updateRatios.layers.map(({ name, ratio }, index) =>
          line(updateRatios, name, ratio, `c${(index % colors) + 1}`, index >= colors ? { dash: [6, 4] } : {}),
        ),
      },
      {
        title: 'Learning rate',
        value: number,
        lines: [
          has(steps.lr)
            ? line(steps, 'learning rate', steps.lr, 'c4')
            : line(epochs, 'learning rate', epochs.lr, 'c4', epochPoints),
        ],
      },
      {
        title: 'Images/s',
        value: whole,
        fromZero: true,
        lines: [
          line(steps, 'each step', steps.imagesPerSecond, 'c6'),
          line(epochs, 'epoch mean', epochs.imagesPerSecond, 'c2', epochPoints),
        ],
      },
    ];
    for (const { lines, log } of list) {
      if (log) for (const each of lines) each.values = each.values.map((value) => (value > 0 ? value : null));
    }
    for (const chart of list) chart.lines = chart.lines.filter(({ values }) => has(values));
    return list.filter(({ lines }) => lines.length > 0);
  }

  // The joined table has holes where a line has no value of its own; the cursor then reads the nearest one.
  function nearest(plot, series, index) {
    const column = plot.data[series];
    if (column[index] != null) return index;
    const x = plot.data[0];
    let left = index;
    let right = index;
    while (left >= 0 && column[left] == null) left -= 1;
    while (right < column.length && column[right] == null) right += 1;
    if (left < 0) return right < column.length ? right : index;
    if (right >= column.length) return left;
    return x[index] - x[left] <= x[right] - x[index] ? left : right;
  }

  const wholeDecades = (_plot, values) =>
    values.map((value) => (/^1e/.test(value.toExponential(3).replace('.000', '')) ? value : null));

  function lastValue(column) {
    for (let index = column.length - 1; index >= 0; index -= 1) if (column[index] != null) return column[index];
    return null;
  }

  function drawGuide(plot, value) {
    const { ctx, bbox } = plot;
    const y = plot.valToPos(value, 'y', true);
    if (y < bbox.top || y > bbox.top + bbox.height) return;
    const ratio = window.devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = color('guide');
    ctx.fillStyle = color('muted');
    ctx.lineWidth = ratio;
    ctx.setLineDash([5 * ratio, 5 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = 'right';
    ctx.textBaseline = 'bottom';
    ctx.fillText('1e-3', bbox.left + bbox.width - 4 * ratio, y - 3 * ratio);
    ctx.restore();
  }

  // The value that this share of each line's values lies below, for the line where it is lowest.
  function quantile(lines, share) {
    const lows = lines.map(({ values }) => {
      const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
      return sorted[Math.floor(share * sorted.length)];
    });
    return Math.min(...lows);
  }

  // `cut` leaves out the lowest share of values, where a few extreme ones would flatten all others.
  function yScale({ lines, log, guide, fromZero, cut }) {
    const floor = cut === undefined ? Number.NEGATIVE_INFINITY : quantile(lines, cut);
    const span = (low, high) => [Math.max(low ?? 0, floor), high ?? 1];
    if (log) {
      return {
        distr: 3,
        range: (_plot, ...limits) => {
          const [low, high] = span(...limits);
          return uPlot.rangeLog(
            Math.min(low, guide ? guide / 2 : low),
            Math.max(high, guide ? guide * 2 : high),
            10,
            false,
          );
        },
      };
    }
    if (fromZero) return { range: (_plot, _low, high) => [0, (high ?? 1) * 1.1 || 1] };
    return { range: (_plot, ...limits) => uPlot.rangeNum(...span(...limits), 0.05, true) };
  }

  function options(chart, width) {
    const axis = {
      stroke: color('muted'),
      grid: { stroke: color('grid'), width: 1 },
      ticks: { show: false },
      font: '11px system-ui, "DejaVu Sans", sans-serif',
    };
    const tickText = chart.tick ?? tick;
    return {
      width,
      height,
      padding: [8, 12, 0, 0],
      scales: { x: { time: false }, y: yScale(chart) },
      axes: [
        { ...axis, size: 32, values: (_plot, values) => values.map((value) => (value === null ? '' : tick(value))) },
        {
          ...axis,
          size: 64,
          grid: { ...axis.grid, filter: chart.log ? wholeDecades : (_plot, values) => values },
          values: (_plot, values) => values.map((value) => (value === null ? '' : tickText(value))),
        },
      ],
      series: [
        { label: 'step', value: (plot, value) => whole(value ?? plot.data[0].at(-1)) },
        ...chart.lines.map(({ label, paint, faint, points, dash }) => ({
          label,
          stroke: withAlpha(color(paint), faint ? 0.28 : 1),
          width: faint ? 1 : 1.75,
          dash,
          spanGaps: true,
          points: { show: points === true, size: 6, fill: color('card') },
          value: (plot, value, series, index) => {
            const shown = index == null ? lastValue(plot.data[series]) : value;
            return shown == null ? '–' : chart.value(shown);
          },
        })),
      ],
      cursor: { sync: { key: 'step' }, dataIdx: nearest, focus: { prox: chart.lines.length > 3 ? 24 : -1 } },
      focus: { alpha: 0.25 },
      hooks: chart.guide === undefined ? {} : { draw: [(plot) => drawGuide(plot, chart.guide)] },
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
    charts = allCharts().map((chart) => {
      const card = element('section', chart.wide ? 'card wide' : 'card');
      const head = element('div', 'head');
      head.append(element('h2', '', chart.title), element('span', 'note', chart.note));
      const place = element('div', 'plot');
      card.append(head, place);
      holder.append(card);
      const table = uPlot.join(chart.lines.map(({ x, values }) => [x, values]));
      return { place, plot: new uPlot(options(chart, place.clientWidth), table, place) };
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
