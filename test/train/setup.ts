// What the tests of training runs share.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memory } from '../../src/device.js';
import { liveTensors } from '../../src/tensor/tensor.js';
import type * as train from '../../src/train/index.js';
import { blobs } from '../support/blobs.js';

export const trainSet = blobs(192, 1);
export const testSet = blobs(96, 2);
export const data = trainSet.shuffle().batch(32); // 6 steps an epoch
export const validation = testSet.batch(40); // the last batch is smaller

/** A test at whose end no tensor and no buffer is left. */
export function balanced(name: string, body: () => void | Promise<void>): void {
  test(name, async () => {
    const before = [liveTensors(), memory().liveBuffers];
    await body();
    assert.deepEqual([liveTensors(), memory().liveBuffers], before);
  });
}

export async function collect(run: train.Run): Promise<train.TrainEvent[]> {
  const events: train.TrainEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}

export const ofType = <T extends train.TrainEvent['type']>(events: readonly train.TrainEvent[], type: T) =>
  events.filter((event): event is Extract<train.TrainEvent, { type: T }> => event.type === type);
