// What a chart shows beside its curves: marks of the legend, and the values next to the pointer.
import { element, painted } from './dom.js';

const { plots } = window;

/** Curves of one run differ by these where colours tell runs apart. */
export const dashes = [[], [7, 4], [2, 3], [10, 3, 2, 3], [14, 5], [4, 2, 1, 2]];
/** The most curves that are listed beside the pointer. */
const listed = 10;

export function legendOf(index) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('width', '18');
  svg.setAttribute('height', '8');
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'line');
  for (const [name, value] of Object.entries({ x1: 0, x2: 18, y1: 4, y2: 4, 'stroke-width': 2 })) {
    line.setAttribute(name, String(value));
  }
  line.setAttribute('stroke-dasharray', dashes[index % dashes.length].join(' '));
  svg.append(line);
  return svg;
}

export function hideTip(place) {
  place.querySelector('.tip')?.remove();
}

/** Lists the values at the cursor from the greatest to the least: those next to the pointer where there are many. */
export function showTip(place, plot, curves, print) {
  const { left, top, idx, idxs } = plot.cursor;
  const rows = curves
    .map(({ label, paint, faint }, i) => {
      const value = plot.data[i + 1][idxs[i + 1] ?? idx];
      const distance = value == null ? Number.POSITIVE_INFINITY : Math.abs(plot.valToPos(value, 'y') - top);
      return { label, paint, faint, value, distance };
    })
    .filter(({ value, faint }) => value != null && !faint);
  const closest = [...rows].sort((a, b) => a.distance - b.distance);
  const shown = closest.slice(0, listed).sort((a, b) => b.value - a.value);
  const body = shown.map((row) =>
    element(
      'tr',
      { class: row === closest[0] && rows.length > 1 ? 'near' : undefined },
      element('td', {}, painted(element('div', { class: 'swatch' }), row.paint)),
      element('td', { class: 'name' }, row.label),
      element('td', { class: 'value' }, print(row.value)),
    ),
  );
  const more = rows.length - shown.length;
  const tip = element(
    'div',
    { class: 'tip' },
    element('span', { class: 'note' }, `step ${plots.whole(plot.posToVal(left, 'x'))}`),
    element('table', {}, ...body),
    more > 0 ? element('span', { class: 'note' }, `and ${more} more`) : null,
  );
  hideTip(place);
  place.append(tip);
  // At the right of the pointer where there is room, else at its left, within the card in any case.
  const x = left + plot.over.offsetLeft;
  const most = place.clientWidth - tip.offsetWidth;
  const beside = x + 14 <= most ? x + 14 : x - 14 - tip.offsetWidth;
  tip.style.left = `${Math.max(0, Math.min(most, beside))}px`;
  tip.style.top = `${Math.max(-40, Math.min(top - tip.offsetHeight / 2, plot.over.clientHeight - tip.offsetHeight + 20))}px`;
}
