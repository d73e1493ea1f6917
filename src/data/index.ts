/** Data: in-memory datasets, loaders, MNIST. */
export type {
  BatchIterable,
  EpochOptions,
  HostBatch,
  Loader,
  Normalize,
} from './batch.js';
export { ArrayLoader, type BatchOptions, Dataset, type DatasetOptions, type ShuffleOptions } from './dataset.js';
export { type BatchFactory, type FactoryOptions, fromIterable, type IterableOptions } from './from_iterable.js';
export { type Mnist, type MnistOptions, mnist } from './mnist.js';
