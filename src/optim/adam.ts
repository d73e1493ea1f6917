import { AnnealError } from '../errors.js';
import { adam as launchAdam } from '../ops/adam/adam.js';
import { isSchedule, type Rate, rateAt } from '../schedule/index.js';
import { nonNegative } from './groups.js';
import { checkFraction, checkOptions, type OptimizerOptions, type OptimizerSpec } from './spec.js';

export interface AdamOptions extends OptimizerOptions {
  /**
   * Numbers in [0, 1), or schedules of the step, such as `schedule.oneCycleMomentum`: the correction of step t is then
   * 1 - beta(t)^t, as PyTorch's. Default [0.9, 0.999].
   */
  readonly betas?: readonly [Rate, Rate];
  /** Default 1e-8. */
  readonly eps?: number;
  /** Divide by the largest second moment so far. Default false. */
  readonly amsgrad?: boolean;
}

/**
 * Adam, as torch.optim.Adam. At its step t = 1, 2, ...:
 *   g = grad + weightDecay * p
 *   m = beta1 m + (1 - beta1) g,   v = beta2 v + (1 - beta2) g^2
 *   p = p - lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps)
 * Kingma and Ba, arXiv:1412.6980; amsgrad: Reddi et al., arXiv:1904.09237. @throws E_ARGUMENT
 */
export function adam(options: AdamOptions): OptimizerSpec<AdamOptions> {
  return makeAdam('adam', options, false);
}

/**
 * Adam with decoupled weight decay, as torch.optim.AdamW: weightDecay (default 0.01) joins no gradient, but
 *   p = p - lr * weightDecay * p - lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps)
 * Loshchilov and Hutter, arXiv:1711.05101. @throws E_ARGUMENT
 */
export function adamw(options: AdamOptions): OptimizerSpec<AdamOptions> {
  return makeAdam('adamw', { ...options, weightDecay: options.weightDecay ?? 0.01 }, true);
}

function makeAdam(kind: string, options: AdamOptions, decoupled: boolean): OptimizerSpec<AdamOptions> {
  checkOptions(kind, options);
  const betas = options.betas ?? [0.9, 0.999];
  if (betas.length !== 2) throw new AnnealError('E_ARGUMENT', `${kind}: expected two betas, received ${String(betas)}`);
  const [beta1Rate, beta2Rate] = betas;
  for (const [i, beta] of betas.entries()) if (!isSchedule(beta)) checkFraction(kind, `betas[${i}]`, beta);
  const eps = nonNegative(kind, 'eps', options.eps ?? 1e-8);
  return {
    kind,
    options,
    rule: {
      state: options.amsgrad ? ['m', 'v', 'vMax'] : ['m', 'v'],
      launch(values, on, [m, v, vMax]) {
        if (m === undefined || v === undefined)
          throw new AnnealError('E_INTERNAL', `${kind}: expected two state buffers`);
        const given = () => {
          const { t, count, ...rest } = values();
          const beta1 = rateAt(beta1Rate, t);
          const beta2 = rateAt(beta2Rate, t);
          return {
            ...rest,
            decoupled,
            beta1,
            beta1Rate: 1 - beta1,
            beta2,
            beta2Rate: 1 - beta2,
            eps,
            correction1: 1 - beta1 ** (count + 1),
            correction2: Math.sqrt(1 - beta2 ** (count + 1)),
          };
        };
        launchAdam(given, { ...on, m, v, vMax: vMax ?? null });
      },
    },
  };
}
