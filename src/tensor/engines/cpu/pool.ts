import { Worker } from "node:worker_threads";
import type { Arena } from "./arena.ts";
import type { WorkerBinding } from "./matmul/provider.ts";
import { fileReads, type Home, type Kernel } from "./wasm.ts";
import type { ControlPlaces, WorkerData } from "./worker.ts";
import { workerMain } from "./worker.ts";

const PLACES: ControlPlaces = {
  ...{ job: 0, finished: 1, asleep: 2, waiting: 3 },
  ...{ memory: 4, kernel: 5, values: 6, units: 7, chunk: 8, failure: 9 },
};
/** The job word has 12 bits for tasks. */
const MOST_TASKS = 4095;
const MESSAGE_BYTES = 200;
const POLLS_BEFORE_SLEEP = 20_000;
/** A missed wake-up costs no more than this. */
const LONGEST_SLEEP_MS = 1;

/** Threads that compute the tasks of one kernel call together with the calling thread. */
export interface Pool {
  /** Adds the next memory to those that kernels run in. */
  add(home: Home, kernels: Record<string, Kernel>): void;
  /**
   * Calls the kernel in a memory with `values` and every range of `chunk` of its `units`, on whichever threads are
   * free; returns when all are done.
   * @throws Error when a task failed, with its message
   */
  run(memory: number, kernel: string, values: readonly number[], units: number, chunk: number): void;
  /** Resolves when every worker computes, or has ended with a warning. Until then the others do its share. */
  readonly ready: Promise<void>;
  dispose(): void;
}

/**
 * Starts `threads - 1` workers, which do not keep the process alive.
 * @param first the first memory of the arena and the kernels in it
 */
export function startPool(
  threads: number,
  arena: Arena,
  module: WebAssembly.Module,
  first: { home: Home; kernels: Record<string, Kernel> },
  library: WorkerBinding | undefined,
): Pool {
  const block = arena.allocate(64 + 32 * 8 + MESSAGE_BYTES);
  const control = arena.int32(block, 16).fill(0);
  const shared = arena.float64(block + 64, 32);
  const message = block + 64 + 32 * 8;
  const numbers = new Map(Object.keys(first.kernels).map((name, number) => [name, number]));
  const common = { module, first: first.home, control: block, values: block + 64, message, places: PLACES };
  const started = Array.from({ length: threads - 1 }, (_, i) => startWorker({ ...common, rank: i + 1, library }));
  const workers = started.map(({ worker }) => worker);
  const instances = [first.kernels];
  let job = 0;

  function awaitTasks(tasks: number): void {
    for (let polls = 0; Atomics.load(control, PLACES.finished) < tasks; polls++) {
      if (polls < POLLS_BEFORE_SLEEP) continue;
      Atomics.store(control, PLACES.waiting, 1);
      const finished = Atomics.load(control, PLACES.finished);
      if (finished < tasks) Atomics.wait(control, PLACES.finished, finished, LONGEST_SLEEP_MS);
      Atomics.store(control, PLACES.waiting, 0);
    }
  }

  return {
    ready: Promise.all(started.map(({ ready }) => ready)).then(() => undefined),
    add(home, kernels) {
      instances.push(kernels);
      for (const worker of workers) worker.postMessage(home);
    },
    run(memory, name, values, units, chunk) {
      const kernel = instances[memory]![name]!;
      const tasks = Math.ceil(units / chunk);
      if (tasks > MOST_TASKS) return this.run(memory, name, values, units, Math.ceil(units / MOST_TASKS));
      if (tasks <= 1 || workers.length === 0) return void kernel(...values, 0, units);
      shared.set(values);
      control[PLACES.memory] = memory;
      control[PLACES.kernel] = numbers.get(name)!;
      control[PLACES.values] = values.length;
      control[PLACES.units] = units;
      control[PLACES.chunk] = chunk;
      control[PLACES.failure] = 0;
      Atomics.store(control, PLACES.finished, 0);
      job = (job + 1) & 0xfffff;
      Atomics.store(control, PLACES.job, (job << 12) | tasks);
      if (Atomics.load(control, PLACES.asleep) > 0) Atomics.notify(control, PLACES.job);
      let failure: unknown;
      for (;;) {
        const word = Atomics.load(control, PLACES.job);
        const unclaimed = word & MOST_TASKS;
        if (unclaimed === 0) break;
        if (Atomics.compareExchange(control, PLACES.job, word, word - 1) !== word) continue;
        const from = (unclaimed - 1) * chunk;
        try {
          kernel(...values, from, Math.min(units, from + chunk));
        } catch (error) {
          failure = error;
        }
        Atomics.add(control, PLACES.finished, 1);
      }
      awaitTasks(tasks);
      if (failure !== undefined) throw failure;
      const length = control[PLACES.failure]!;
      if (length > 0) throw new Error(Buffer.from(arena.uint8(message, length)).toString());
    },
    dispose() {
      for (const worker of workers) void worker.terminate();
    },
  };
}

/** Starts a thread with the text of `workerMain`; `ready` resolves when it computes, or when it has ended. */
function startWorker({ library, ...data }: Omit<WorkerData, "library"> & { library: WorkerBinding | undefined }): {
  worker: Worker;
  ready: Promise<void>;
} {
  const sent = library === undefined ? undefined : { koffi: library.koffi, handles: library.handles };
  // Compilers that keep function names call __name on inner functions; the thread has no such helper.
  const source = `
    const __name = (f) => f;
    const { parentPort, receiveMessageOnPort, workerData } = require("node:worker_threads");
    const bind = ${library === undefined ? "undefined" : library.bind.toString()};
    const receive = () => receiveMessageOnPort(parentPort).message;
    (${workerMain.toString()})(workerData, require, bind, receive, () => parentPort.postMessage("ready"), ${fileReads.toString()});`;
  const worker = new Worker(source, { eval: true, execArgv: [], workerData: { ...data, library: sent } });
  const ready = new Promise<void>((resolve) => {
    worker.once("message", () => {
      worker.unref();
      resolve();
    });
    worker.on("error", (error) => {
      process.emitWarning(`A thread of the cpu engine ended, the others go on: ${error.message}`);
      resolve();
    });
    worker.once("exit", () => resolve());
  });
  return { worker, ready };
}
