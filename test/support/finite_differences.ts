import { type Nd, nd } from './nd.js';

/** The gradient of f at x by central differences: (f(x + h e) - f(x - h e)) / 2h for each element. */
export function differences(f: (x: Nd) => number, x: Nd, h = 1e-5): Nd {
  const at = nd(x.shape, x.data);
  const result = nd(x.shape);
  for (let i = 0; i < x.data.length; i++) {
    const centre = x.data[i]!;
    at.data[i] = centre + h;
    const above = f(at);
    at.data[i] = centre - h;
    const below = f(at);
    at.data[i] = centre;
    result.data[i] = (above - below) / (2 * h);
  }
  return result;
}
