// Cross-entropy of softmax(logits) against a target (kernels/softmax_cross_entropy/softmax_cross_entropy.h).
import { named, record, records } from '../../autograd/tape.js';
import { struct } from '../../backend/params.js';
import { AnnealError } from '../../errors.js';
import { isFloat } from '../../tensor/dtype.js';
import { formatShape, type Shape, sameShape } from '../../tensor/shape.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { dispatch, expectDType } from '../dispatch.js';
import { checkReduction, type LossOptions, type Reduction } from '../losses/reduction.js';
import { reshape } from '../reshape.js';
import { crossEntropyBackward, crossEntropyGradBackward } from './softmax_cross_entropy.grad.js';

const fields = {
  rows: 'u32',
  classes: 'u32',
  dense: 'u32',
  labelSmoothing: 'f32',
  ignoreIndex: 'i32',
  reduction: 'u32',
} as const;

/** In the order of the C++ enum. */
const reductions = ['none', 'sum', 'mean'] as const satisfies readonly Reduction[];

export const softmaxCrossEntropyParams = struct('softmax_cross_entropy', fields);
export const softmaxCrossEntropyBackwardParams = struct('softmax_cross_entropy_backward', fields);

export interface CrossEntropyOptions extends LossOptions {
  /** The share of the target that is spread evenly over all classes. Default 0. */
  readonly labelSmoothing?: number;
  /** A factor for each class, f32 [classes]; carries no gradient. Default 1. */
  readonly classWeights?: Tensor;
  /** Rows with this target count neither in the sum nor in the mean. Default -100. */
  readonly ignoreIndex?: number;
}

/** One call, with logits as [rows, classes]. */
export interface CrossEntropy {
  readonly logits: Tensor;
  /** i32 [rows] or f32 [rows, classes]. */
  readonly target: Tensor;
  readonly classWeights: Tensor | null;
  /** m = max x and 1 / sum e^(x - m) of each row x of logits, [rows, 2]. */
  readonly normalizers: Tensor;
  /** The weight of each row in the mean, [rows]; 0 for ignored ones. */
  readonly weight: Tensor;
  /** Their sum, a scalar, if the mean is taken. */
  readonly divisor: Tensor | null;
  readonly params: {
    readonly rows: number;
    readonly classes: number;
    readonly dense: boolean;
    readonly labelSmoothing: number;
    readonly ignoreIndex: number;
    /** Place in `reductions`. */
    readonly reduction: number;
  };
}

/** Whether there is one loss for all rows. */
export function isReduced({ params }: CrossEntropy): boolean {
  return reductions[params.reduction] !== 'none';
}

function savedOf({ logits, target, classWeights, normalizers, weight, divisor }: CrossEntropy): Tensor[] {
  const saved = [logits, target, normalizers, weight];
  if (classWeights) saved.push(classWeights);
  if (divisor) saved.push(divisor);
  return saved;
}

/** dlogits [rows, classes] from dLoss, of the shape of the loss. */
export function crossEntropyGrad(call: CrossEntropy, dLoss: Tensor): Tensor<'f32'> {
  const { logits, target, classWeights, normalizers, divisor, params } = call;
  const out = empty(logits.shape, 'f32', logits.device);
  const inputs = [logits, normalizers, target, classWeights, dLoss];
  if (divisor) inputs.push(divisor);
  dispatch(softmaxCrossEntropyBackwardParams, params, inputs, [out]);
  return record('softmaxCrossEntropyGrad', out, [logits, target, dLoss], crossEntropyGradBackward(call, dLoss), {
    saved: [...savedOf(call), dLoss],
  });
}

/** `shape`: that of the loss. */
function launch(
  logits: Tensor,
  target: Tensor,
  classWeights: Tensor | null,
  params: CrossEntropy['params'],
  shape: Shape,
): Tensor<'f32'> {
  const { device } = logits;
  const loss = empty(shape, 'f32', device);
  const normalizers = empty([params.rows, 2], 'f32', device);
  const weight = empty([params.rows], 'f32', device);
  const divisor = reductions[params.reduction] === 'mean' ? empty([], 'f32', device) : null;
  const outputs = [loss, normalizers, weight];
  if (divisor) outputs.push(divisor);
  dispatch(softmaxCrossEntropyParams, params, [logits, target, classWeights], outputs);
  const inputs = [logits, target];
  if (!records(inputs)) return named('softmaxCrossEntropy', loss);
  const call = { logits, target, classWeights, normalizers, weight, divisor, params };
  return record('softmaxCrossEntropy', loss, inputs, crossEntropyBackward(call), { saved: savedOf(call) });
}

/**
 * -ln softmax(logits) at the target, as PyTorch's cross_entropy. logits f32 [..., classes]; target i32 [...] of class
 * indices, or f32 [..., classes] of probabilities. With class weights w, smoothing e and C classes, the loss of a row is
 * sum_c w_c q_c (lse - x_c) with q_c = (1 - e) t_c + e / C. The mean divides by the sum of w at the targets for class
 * indices, by the number of rows for probabilities. A target outside of [0, classes) is an error of the CPU device, E_RANGE
 * once the result is read; on GPUs the row's loss and gradient are NaN. Szegedy et al. 2015, arXiv:1512.00567 (smoothing). @throws E_SHAPE, E_DTYPE, E_RANGE
 */
export function softmaxCrossEntropy(
  logits: Tensor,
  target: Tensor,
  { labelSmoothing = 0, classWeights, ignoreIndex = -100, reduction = 'mean' }: CrossEntropyOptions = {},
): Tensor {
  const op = 'softmaxCrossEntropy';
  expectDType(op, 'logits', logits, 'f32');
  expectDType(op, 'the target', target, 'i32', 'f32');
  checkReduction(op, reduction);
  const dense = isFloat(target.dtype);
  const leading = logits.shape.slice(0, -1);
  const classes = logits.shape.at(-1);
  if (classes === undefined || classes === 0) {
    throw new AnnealError('E_SHAPE', `${op}: expected logits [..., classes], received ${formatShape(logits.shape)}`);
  }
  const expected = dense ? logits.shape : leading;
  if (!sameShape(target.shape, expected)) {
    throw new AnnealError(
      'E_SHAPE',
      `${op}: expected a target ${target.dtype} ${formatShape(expected)} for logits ${formatShape(logits.shape)}, received ${formatShape(target.shape)}`,
    );
  }
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new AnnealError('E_RANGE', `${op}: expected labelSmoothing in [0, 1], received ${labelSmoothing}`);
  }
  if (classWeights) {
    expectDType(op, 'classWeights', classWeights, 'f32');
    if (!sameShape(classWeights.shape, [classes])) {
      throw new AnnealError(
        'E_SHAPE',
        `${op}: expected classWeights [${classes}], received ${formatShape(classWeights.shape)}`,
      );
    }
  }
  const rows = logits.size / classes;
  const flat = leading.length === 1;
  return launch(
    flat ? logits : reshape(logits, [rows, classes]),
    flat ? target : reshape(target, dense ? [rows, classes] : [rows]),
    classWeights ?? null,
    { rows, classes, dense, labelSmoothing, ignoreIndex, reduction: reductions.indexOf(reduction) },
    reduction === 'none' ? leading : [],
  );
}
