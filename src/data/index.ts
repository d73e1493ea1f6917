/** Data: in-memory datasets, loaders, streams of records; sources: MNIST, IDX, npy, CSV, image folders. */
export { ArrayLoader, type BatchOptions } from './array_loader.js';
export type {
  BatchIterable,
  BufferOptions,
  EpochOptions,
  HostBatch,
  Loader,
  Normalize,
  ShuffleOptions,
} from './batch.js';
export { type ClassWeightOptions, classWeights } from './class_weights.js';
export { type ColumnName, type CsvOptions, type CsvRecordOptions, csv, csvRecords } from './csv.js';
export { Dataset, type DatasetOptions, type MapOptions, type SplitOptions } from './dataset.js';
export type { Example, ExampleValue, HostExample, OnBad } from './example.js';
export { type IdxOptions, idx, type NpyDatasetOptions, type NpzOptions, npy, npz } from './files.js';
export { type BatchFactory, type FactoryOptions, fromIterable, type IterableOptions } from './from_iterable.js';
export { type DecodeOptions, type ImageFolderOptions, imageDecoder, imageFolder } from './image_folder.js';
export type { ExampleContext, ExampleFunction, MappedLoader } from './mapped_loader.js';
export { type Mnist, type MnistOptions, mnist } from './mnist.js';
export { fromRecords, type RecordFactory, type RecordIterable, type RecordOptions } from './records.js';
export {
  type ColourOptions,
  type CropOptions,
  type CutoutOptions,
  colour,
  crop,
  cutmix,
  cutout,
  type FlipOptions,
  flip,
  type ImageTransform,
  type MixOptions,
  type MixTransform,
  mixup,
  type Padding,
  type RotateOptions,
  rotate,
  type ShiftOptions,
  shift,
  type Transform,
} from './transforms.js';
