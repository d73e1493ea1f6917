// What the pages' charts share, on top of uPlot: how values are printed, axes, guides and the like.
window.plots = (() => {
  const uPlot = window.uPlot;
  const root = document.documentElement;

  const color = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const withAlpha = (hex, alpha) =>
    hex +
    Math.round(alpha * 255)
      .toString(16)
      .padStart(2, '0');

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
  const whole = (value) => Math.round(value).toLocaleString('en-US');
  const bytes = (value) => {
    const units = ['B', 'kB', 'MB', 'GB', 'TB'];
    const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, Math.abs(value))) / 3));
    return `${Number((value / 1000 ** power).toPrecision(4))} ${units[power]}`;
  };

  // By the chart's `format`: how a value is printed, and one at an axis.
  const formats = {
    number: { value: number, tick },
    percent: {
      value: (value) => `${(100 * value).toFixed(2)}%`,
      tick: (value) => `${Number((100 * value).toPrecision(6))}%`,
    },
    integer: { value: whole, tick },
    exponent: { value: (value) => value.toExponential(2), tick },
    bytes: { value: bytes, tick: bytes },
  };

  // Exponential moving average, corrected for its start as Adam's moments are. `decay` from 0 (none) to below 1.
  function smooth(values, decay) {
    let mean = 0;
    let weight = 0;
    return values.map((value) => {
      if (value === null) return null;
      mean = decay * mean + (1 - decay) * value;
      weight = decay * weight + (1 - decay);
      return mean / weight;
    });
  }

  // A joined table has holes where a line has no value of its own; the cursor then reads the nearest one.
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

  function drawGuides(plot, guides) {
    const { ctx, bbox } = plot;
    const ratio = window.devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = color('guide');
    ctx.fillStyle = color('muted');
    ctx.lineWidth = ratio;
    ctx.setLineDash([5 * ratio, 5 * ratio]);
    ctx.font = `${11 * ratio}px system-ui, "DejaVu Sans", sans-serif`;
    ctx.textAlign = 'right';
    ctx.textBaseline = 'bottom';
    for (const { value, label } of guides) {
      const y = plot.valToPos(value, 'y', true);
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.fillText(label, bbox.left + bbox.width - 4 * ratio, y - 3 * ratio);
    }
    ctx.restore();
  }

  // The value that the chart's `cut` of each column's values lies below, for the column where it is lowest: where y begins.
  function floorOf({ cut }, columns) {
    if (cut === undefined) return Number.NEGATIVE_INFINITY;
    const lows = columns.map((values) => {
      const sorted = values.filter((value) => value != null).sort((a, b) => a - b);
      return sorted[Math.floor(cut * sorted.length)] ?? Number.POSITIVE_INFINITY;
    });
    const low = Math.min(...lows);
    return Number.isFinite(low) ? low : Number.NEGATIVE_INFINITY;
  }

  // uPlot's y scale of a chart that begins at floor().
  function yScale({ log, guides, fromZero }, floor) {
    const span = (low, high) => [Math.max(low ?? 0, floor()), high ?? 1];
    if (log) {
      return {
        distr: 3,
        range: (_plot, first, last) => {
          if (first == null) return [0.1, 1];
          const [low, high] = span(first, last);
          const bounds = (guides ?? []).map(({ value }) => value);
          return uPlot.rangeLog(
            Math.min(low, ...bounds.map((value) => value / 2)),
            Math.max(high, ...bounds.map((value) => value * 2)),
            10,
            false,
          );
        },
      };
    }
    if (fromZero) return { range: (_plot, _low, high) => [0, (high ?? 1) * 1.1 || 1] };
    return { range: (_plot, first, last) => uPlot.rangeNum(...span(first, last), 0.05, true) };
  }

  // The colour of a curve where there is one run: metrics by what they are, others by their place.
  function paintOf(chart, { series }, index) {
    if (series === `ema_val_${chart.id}` || series === `ema_${chart.id}`) return 'c3';
    if (series === `val_${chart.id}` || series.startsWith('epoch_samples')) return 'c2';
    if (series === chart.id || series === `epoch_${chart.id}`) return chart.id === 'lr' ? 'c4' : 'c1';
    return `c${(index % 8) + 1}`;
  }

  function axes(chart) {
    const axis = {
      stroke: color('muted'),
      grid: { stroke: color('grid'), width: 1 },
      ticks: { show: false },
      font: '11px system-ui, "DejaVu Sans", sans-serif',
    };
    const tickOf = formats[chart.format].tick;
    return [
      { ...axis, size: 32, values: (_plot, values) => values.map((value) => (value === null ? '' : tick(value))) },
      {
        ...axis,
        size: 64,
        grid: { ...axis.grid, filter: chart.log ? wholeDecades : (_plot, values) => values },
        values: (_plot, values) => values.map((value) => (value === null ? '' : tickOf(value))),
      },
    ];
  }

  return { color, withAlpha, formats, whole, smooth, nearest, lastValue, drawGuides, floorOf, yScale, paintOf, axes };
})();
