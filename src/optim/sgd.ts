import { AnnealError } from '../errors.js';
import { sgdMomentumEma } from '../ops/sgd_momentum_ema/sgd_momentum_ema.js';
import { type Rate, rateAt } from '../schedule/index.js';
import { checkRate } from './groups.js';
import { checkFraction, checkOptions, type OptimizerOptions, type OptimizerSpec } from './spec.js';

export interface SgdOptions extends OptimizerOptions {
  /** A number, or a schedule of the step. Default 0: no momentum buffer. */
  readonly momentum?: Rate;
  /** Default 0. Does not apply to the first step. */
  readonly dampening?: number;
  /** Default false. */
  readonly nesterov?: boolean;
}

/**
 * Stochastic gradient descent, as torch.optim.SGD:
 *   g = grad + weightDecay * p
 *   v = momentum * v + (1 - dampening) * g         (v = g in the first step)
 *   p = p - lr * (nesterov ? g + momentum * v : v)
 * Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013. @throws E_ARGUMENT
 */
export function sgd(options: SgdOptions): OptimizerSpec<SgdOptions> {
  checkOptions('sgd', options);
  const momentum = checkRate('sgd', 'momentum', options.momentum ?? 0);
  const dampening = checkFraction('sgd', 'dampening', options.dampening ?? 0);
  const nesterov = options.nesterov ?? false;
  if (nesterov && (momentum === 0 || dampening !== 0)) {
    throw new AnnealError(
      'E_ARGUMENT',
      `sgd: expected a momentum and no dampening for nesterov, received momentum ${String(options.momentum ?? 0)} and dampening ${dampening}`,
    );
  }
  return {
    kind: 'sgd',
    options,
    rule: {
      state: momentum === 0 ? [] : ['momentum'],
      launch(values, on, [buffer]) {
        const given = () => {
          const { t, count, ...rest } = values();
          return { ...rest, nesterov, first: count === 0, momentum: rateAt(momentum, t), dampening };
        };
        sgdMomentumEma(given, { ...on, momentum: buffer ?? null });
      },
    },
  };
}
