// What all pictures share: an SVG document that stands by itself, light or dark as the reader's system, no scripts, no fonts.

/** Colours of lines, in turn: classes c0 to c5. */
export const COLORS = 6;

interface Theme {
  readonly page: string;
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  readonly axis: string;
  readonly curves: readonly string[];
}

const light: Theme = {
  page: '#ffffff',
  text: '#1b2230',
  muted: '#667085',
  grid: '#e9ebf0',
  axis: '#c3c9d4',
  curves: ['#2563eb', '#e8710a', '#12915f', '#9333ea', '#d92f5d', '#0891a8'],
};
const dark: Theme = {
  page: '#181e27',
  text: '#e6e9ef',
  muted: '#95a0b2',
  grid: '#2a323f',
  axis: '#475163',
  curves: ['#6ea0ff', '#ff9d4d', '#4cc38a', '#c084fc', '#ff7896', '#4fc6dc'],
};

/** Written out, without variables, which some viewers of SVG do not know. */
const rules = ({ page, text, muted, grid, axis, curves }: Theme): string =>
  [
    `.page { fill: ${page}; }`,
    `text { fill: ${muted}; }`,
    `.title { fill: ${text}; }`,
    `.grid { stroke: ${grid}; }`,
    `.axis { stroke: ${axis}; }`,
    ...curves.map((color, i) => `.c${i} { stroke: ${color}; }`),
  ]
    .map((rule) => `.anneal-chart ${rule}`)
    .join(' ');

const style = `
.anneal-chart text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; }
.anneal-chart .title { font-size: 14px; font-weight: 600; }
.anneal-chart .curve { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
${rules(light)}
@media (prefers-color-scheme: dark) { ${rules(dark)} }
`;

/** Text as it stands in XML or HTML, in attributes, too. */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** Cut to what fits a width, by the mean width of a letter. */
export function fitted(text: string, pixels: number, letter: number): string {
  const most = Math.floor(pixels / letter);
  return text.length <= most ? text : `${text.slice(0, Math.max(1, most - 1))}…`;
}

/** `parts` as a document; `alt` is what it shows, for who cannot see it. */
export function svgDocument(width: number, height: number, alt: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" class="anneal-chart" role="img" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<title>${escapeXml(alt)}</title>
<style>${style}</style>
<rect width="100%" height="100%" rx="8" class="page"/>
${parts.join('\n')}
</svg>
`;
}
