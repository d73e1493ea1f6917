// Backward rules of depthwise convolution: x [N,H,W,C], w [KH,KW,C,M], y [N,OH,OW,C*M], bias [C*M].
import { convolutionRules } from '../convolution_rules.js';
import { backwardData, backwardWeight, type DepthwiseGeometry, forward } from './depthwise_conv2d.js';

export const rules = convolutionRules<DepthwiseGeometry>({ forward, backwardData, backwardWeight });
