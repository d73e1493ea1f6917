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
    exponent: {
      value: (value) => value.toExponential(2),
      tick: (value) => value.toExponential().replace('e+', 'e'),
    },
    bytes: { value: bytes, tick: bytes },
  };

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

  const decades = (_plot, values) =>
    values.map((value) => (Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-6 ? value : null));

  function lastValue(column) {
    for (let index = column.length - 1; index >= 0; index -= 1) if (column[index] != null) return column[index];
    return null;
  }

  // A curve of one value is no line.
  const isPoint = (column) => column.filter((value) => value != null).length === 1;

  // Dashed lines at values, from the highest down, with the values at their right ends: { value, paint }.
  function drawGuides(plot, guides, print) {
    const { ctx, bbox } = plot;
    const ratio = window.devicePixelRatio;
    ctx.save();
    ctx.lineWidth = ratio;
    ctx.font = `${11 * ratio}px system-ui, "DejaVu Sans", sans-serif`;
    ctx.textAlign = 'right';
    let labelled = Number.NEGATIVE_INFINITY;
    for (const { value, paint } of guides) {
      const y = Math.floor(plot.valToPos(value, 'y', true)) + 0.5;
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.strokeStyle = paint ?? color('guide');
      ctx.setLineDash([5 * ratio, 5 * ratio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      // Below its line where the one above is near; on a ground of its own, for curves may pass there.
      const below = y - labelled < 26 * ratio;
      labelled = y;
      ctx.textBaseline = below ? 'top' : 'bottom';
      ctx.setLineDash([]);
      ctx.strokeStyle = color('card');
      ctx.fillStyle = paint ?? color('muted');
      ctx.lineWidth = 4 * ratio;
      const place = [print(value), bbox.left + bbox.width - 4 * ratio, y + (below ? 4 : -3) * ratio];
      ctx.strokeText(...place);
      ctx.fillText(...place);
      ctx.lineWidth = ratio;
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

  // uPlot's x range: the steps from first to last, or somewhat around the only one; any where there is none.
  function stepsRange(first, last) {
    if (!Number.isFinite(first) || !Number.isFinite(last)) return [0, 1];
    return last > first ? [first, last] : [first - 1, first + 1];
  }

  // uPlot's y scale of a chart that begins at floor() and has room for its guides.
  function yScale({ log, fromZero }, guides, floor) {
    const span = (low, high) => [Math.max(low ?? 0, floor()), high ?? 1];
    if (log) {
      return {
        distr: 3,
        range: (_plot, first, last) => {
          if (first == null) return [0.1, 1];
          const [low, high] = span(first, last);
          const bounds = guides.flatMap(({ value }) => [value / 2, value * 2]);
          return uPlot.rangeLog(Math.min(low, ...bounds), Math.max(high, ...bounds), 10, false);
        },
      };
    }
    if (fromZero) return { range: (_plot, _low, high) => [0, (high ?? 1) * 1.1 || 1] };
    return { range: (_plot, first, last) => uPlot.rangeNum(...span(first, last), 0.05, true) };
  }

  // Between ticks there are whole steps.
  const stepIncrements = Array.from({ length: 15 }, (_, power) =>
    [1, 2, 5].map((factor) => factor * 10 ** power),
  ).flat();

  function axes(chart) {
    const axis = {
      stroke: color('muted'),
      grid: { stroke: color('grid'), width: 1 },
      ticks: { show: false },
      font: '11px system-ui, "DejaVu Sans", sans-serif',
    };
    const tickOf = formats[chart.format].tick;
    return [
      { ...axis, size: 26, incrs: stepIncrements, values: (_plot, values) => values.map(tick) },
      {
        ...axis,
        size: 64,
        ...(chart.log ? { space: 16, grid: { ...axis.grid, filter: decades } } : {}),
        values: (_plot, values) => values.map((value) => (value === null ? '' : tickOf(value))),
      },
    ];
  }

  return {
    color,
    withAlpha,
    formats,
    whole,
    nearest,
    lastValue,
    isPoint,
    drawGuides,
    floorOf,
    stepsRange,
    yScale,
    axes,
  };
})();
