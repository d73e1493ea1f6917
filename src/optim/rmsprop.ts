import { AnnealError } from '../errors.js';
import { rmsprop as launchRmsprop } from '../ops/rmsprop/rmsprop.js';
import { type Rate, rateAt } from '../schedule/index.js';
import { checkRate, nonNegative } from './groups.js';
import { checkFraction, checkOptions, type OptimizerOptions, type OptimizerSpec } from './spec.js';

export interface RmspropOptions extends OptimizerOptions {
  /** Smoothing of the squared gradient. Default 0.99. */
  readonly alpha?: number;
  /** Default 1e-8. */
  readonly eps?: number;
  /** A number, or a schedule of the step. Default 0: no momentum buffer. */
  readonly momentum?: Rate;
  /** Divide by the standard deviation of the gradient in place of its root mean square. Default false. */
  readonly centered?: boolean;
}

/**
 * RMSprop, as torch.optim.RMSprop:
 *   g = grad + weightDecay * p
 *   v = alpha v + (1 - alpha) g^2;   centered: a = alpha a + (1 - alpha) g,  v' = max(v - a^2, 0), else v' = v
 *   b = momentum b + g / (sqrt(v') + eps)
 *   p = p - lr * b
 * Tieleman and Hinton, Lecture 6.5, 2012; centered: Graves, arXiv:1308.0850. @throws E_ARGUMENT
 */
export function rmsprop(options: RmspropOptions): OptimizerSpec<RmspropOptions> {
  checkOptions('rmsprop', options);
  const alpha = checkFraction('rmsprop', 'alpha', options.alpha ?? 0.99);
  const eps = nonNegative('rmsprop', 'eps', options.eps ?? 1e-8);
  const momentum = checkRate('rmsprop', 'momentum', options.momentum ?? 0);
  const centered = options.centered ?? false;
  const state = ['v', ...(centered ? ['meanGrad'] : []), ...(momentum === 0 ? [] : ['momentum'])];
  return {
    kind: 'rmsprop',
    options,
    rule: {
      state,
      launch(values, on, buffers) {
        const named = (name: string) => buffers[state.indexOf(name)] ?? null;
        const v = named('v');
        if (v === null) throw new AnnealError('E_INTERNAL', 'rmsprop: expected a state buffer');
        const given = () => {
          const { t, count: _, ...rest } = values();
          return { ...rest, alpha, alphaRate: 1 - alpha, eps, momentum: rateAt(momentum, t) };
        };
        launchRmsprop(given, { ...on, v, meanGrad: named('meanGrad'), momentum: named('momentum') });
      },
    },
  };
}
