// Backward rules of convolution: x [N,H,W,C], w [KH,KW,C/G,OC], y [N,OH,OW,OC], bias [OC].
import { convolutionRules } from '../convolution_rules.js';
import { backwardData, backwardWeight, type Conv2dGeometry, forward } from './conv2d.js';

export const rules = convolutionRules<Conv2dGeometry>({ forward, backwardData, backwardWeight });
