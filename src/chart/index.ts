/** Charts as SVG documents. */
export { type Line, type LineChartOptions, lineChart, type Point } from './line_chart.js';
