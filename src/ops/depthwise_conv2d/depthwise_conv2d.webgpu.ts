// How depthwise convolution runs on WebGPU.
import { groupsFor, type KernelCall, type WebGpuKernel, webGpuKernel } from '../../backend/webgpu/kernel.js';
import {
  type DepthwiseGeometry,
  depthwiseConv2dBackwardDataParams,
  depthwiseConv2dBackwardWeightParams,
  depthwiseConv2dParams,
} from './depthwise_conv2d.js';

const THREADS = 64;
/** Neighbouring positions that a thread of the forward kernel makes: forward.wgsl. */
const PIXELS = 4;
/** Backward-weight: as many parts as make this many threads, for a GPU; at least this many positions in each. */
const WANTED_THREADS = 1 << 14;
const POSITIONS = 256;

type Call = KernelCall<DepthwiseGeometry>;

const comesByFours = ({ params: { c, m }, aligned }: Call): boolean => aligned && m === 1 && c % 4 === 0;
const shared = 'depthwise_conv2d/depthwise_conv2d.wgsl';

/** Parts of the rows of dy, by the shape alone (a power of two, since each number is a pipeline), and the elements of each. */
function partsOf({ params: { n, c, m, oh, ow, kh, kw }, has }: Call): { parts: number; size: number } {
  const size = (kh * kw + (has('dbias') ? 1 : 0)) * c * m;
  const byThreads = Math.ceil((4 * WANTED_THREADS) / (kh * kw * c * m));
  const byPositions = Math.ceil((n * oh * ow) / POSITIONS);
  const most = Math.max(1, Math.min(byThreads, byPositions, n * oh, 256));
  return { parts: 2 ** Math.floor(Math.log2(most)), size };
}

export const depthwiseConv2dKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'depthwise_conv2d',
    struct: depthwiseConv2dParams,
    texts: [shared, 'depthwise_conv2d/forward.wgsl'],
    inputs: ['x', 'w', 'bias'],
    outputs: ['y'],
    launches(call) {
      const { n, c, m, oh, ow } = call.params;
      const FOUR = comesByFours(call);
      const threads = (n * oh * Math.ceil(ow / PIXELS) * c * m) / (FOUR ? 4 : 1);
      return [{ entry: 'forward', groups: groupsFor(threads, THREADS), constants: { FOUR }, vectors: FOUR }];
    },
  }),
  webGpuKernel({
    op: 'depthwise_conv2d_backward_data',
    struct: depthwiseConv2dBackwardDataParams,
    texts: [shared, 'depthwise_conv2d/backward_data.wgsl'],
    inputs: ['dy', 'w'],
    outputs: ['dx'],
    launches(call) {
      const { n, h, w, c } = call.params;
      const FOUR = comesByFours(call);
      const groups = groupsFor((n * h * w * c) / (FOUR ? 4 : 1), THREADS);
      return [{ entry: 'backward_data', groups, constants: { FOUR }, vectors: FOUR }];
    },
  }),
  webGpuKernel({
    op: 'depthwise_conv2d_backward_weight',
    struct: depthwiseConv2dBackwardWeightParams,
    texts: [shared, 'depthwise_conv2d/backward_weight.wgsl'],
    inputs: ['x', 'dy'],
    outputs: ['dw', 'dbias'],
    scratch(call) {
      const { parts, size } = partsOf(call);
      return { parts: parts * size };
    },
    launches(call) {
      const { parts, size } = partsOf(call);
      const FOUR = comesByFours(call);
      const constants = { FOUR, PARTS: parts };
      return [
        {
          entry: 'sum_parts',
          groups: groupsFor((parts * size) / (FOUR ? 4 : 1), THREADS),
          constants,
          vectors: FOUR,
        },
        { entry: 'add_parts', groups: groupsFor(size, THREADS), constants, vectors: FOUR },
      ];
    },
  }),
];
