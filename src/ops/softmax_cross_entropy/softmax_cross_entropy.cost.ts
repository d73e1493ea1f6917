import type { Cost } from '../cost.js';

interface Sizes {
  readonly rows: number;
  readonly classes: number;
  readonly dense: boolean;
  /** One loss for all rows. */
  readonly reduced: boolean;
}

interface ForwardSizes extends Sizes {
  /** The gradient with respect to the logits comes along. */
  readonly gradient: boolean;
}

/**
 * An exponential (about 15), a maximum and a sum an item; dense targets a product and a sum more. The gradient adds a product
 * and a difference.
 */
export function softmaxCrossEntropyCost({ rows, classes, dense, reduced, gradient }: ForwardSizes): Cost {
  const items = rows * classes;
  return {
    flops: ((dense ? 20 : 17) + (gradient ? 2 : 0)) * items,
    bytes: 4 * ((dense ? 2 * items : items + rows) + 3 * rows + (reduced ? 1 : rows) + (gradient ? items : 0)),
  };
}

/** An exponential, a product and a difference an item. */
export function softmaxCrossEntropyBackwardCost({ rows, classes, dense, reduced }: Sizes): Cost {
  const items = rows * classes;
  return {
    flops: (dense ? 20 : 17) * items,
    bytes: 4 * ((dense ? 3 * items : 2 * items + rows) + 2 * rows + (reduced ? 1 : rows)),
  };
}
