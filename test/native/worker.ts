// A worker of workers.test.ts.
import { parentPort } from 'node:worker_threads';
import { cpuInfo, setThreads } from '../../src/backend/device.js';
import { addon } from '../../src/binding.js';
import { AnnealError } from '../../src/errors.js';
import { ones } from '../../src/ops/creation.js';
import { matmul } from '../../src/ops/index.js';
import { trainSteps } from './steps.js';

export type Job =
  | { readonly kind: 'train'; readonly steps: number }
  | { readonly kind: 'busy' }
  | { readonly kind: 'threads'; readonly set?: number }
  | { readonly kind: 'alloc' }
  | { readonly kind: 'use'; readonly handle: number };

export interface Answer {
  readonly text: string;
}

function outcome(call: () => unknown): string {
  try {
    call();
    return 'ok';
  } catch (error) {
    return error instanceof AnnealError ? error.code : String(error);
  }
}

async function answer(job: Job): Promise<string> {
  switch (job.kind) {
    case 'train':
      return trainSteps(job.steps);
    case 'busy': {
      const x = ones([256, 256]);
      for (let i = 0; i < 200; i++)
        matmul(x, x)
          .data()
          .catch(() => undefined);
      return 'busy';
    }
    case 'threads':
      if (job.set !== undefined) setThreads(job.set);
      return String(cpuInfo().threads);
    case 'alloc':
      return String(addon().alloc(64));
    case 'use': {
      const { handle } = job;
      const read = outcome(() => addon().readSync(handle, 0, 4));
      const write = outcome(() => addon().write(handle, 0, Float32Array.of(1)));
      return `read ${read}, write ${write}, free ${outcome(() => addon().free(handle))}`;
    }
  }
}

parentPort?.on('message', (job: Job) => {
  answer(job).then(
    (text) => parentPort?.postMessage({ text }),
    (error: unknown) => parentPort?.postMessage({ text: String(error) }),
  );
});
