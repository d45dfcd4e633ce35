import type * as fileSystem from "node:fs";
import type { LibraryCalls, WorkerBinding } from "./matmul/provider.ts";
import type { fileReads, Home } from "./wasm.ts";

/** Int32 places in the control block that the pool and its workers share. */
export interface ControlPlaces {
  /** Number of the job in the upper 20 bits, tasks not yet claimed in the lower 12. */
  job: number;
  /** Tasks of the job that are finished. */
  finished: number;
  /** Workers asleep. */
  asleep: number;
  /** 1 while the main thread sleeps until tasks finish. */
  waiting: number;
  /** In which memory, which kernel, how many values it takes, how many units there are, and how many to a task. */
  memory: number;
  kernel: number;
  values: number;
  units: number;
  chunk: number;
  /** Length in bytes of the message of a task that failed, 0 while none has. */
  failure: number;
}

type Files = Pick<typeof fileSystem, "readSync">;

/** What a worker thread is started with. */
export interface WorkerData {
  module: WebAssembly.Module;
  /** The first memory; further ones come as messages, each before the first job in it. */
  first: Home;
  /** Byte offset in it of the control block, of the values behind it (doubles) and of the room for a failure's message. */
  control: number;
  values: number;
  message: number;
  places: ControlPlaces;
  /** Of this thread: 1, 2, ... */
  rank: number;
  library: Omit<WorkerBinding, "bind"> | undefined;
}

/**
 * The life of a worker thread: claims tasks of the current job, sleeps when there are none. The text of this function
 * is what the thread is started from: it must not use anything from outside.
 *
 * A task is claimed by lowering the job word by compare-and-swap. The job's values are read before: while a task is
 * unclaimed no new job can be written, so a swap that succeeds proves that they belonged together.
 */
export function workerMain(
  data: WorkerData,
  load: (path: string) => never,
  bind: ((koffi: never, handles: never) => LibraryCalls) | undefined,
  receive: () => Home,
  ready: () => void,
  readsInto: typeof fileReads,
): void {
  const POLLS_BEFORE_SLEEP = 20_000;
  const { places } = data;
  const { buffer } = data.first.memory;
  const none = (): void => undefined;
  const { readSync } = load("node:fs") as Files;
  const library = bind && data.library && bind(load(data.library.koffi), data.library.handles as never);
  const { product = none, softmax = none } = library ?? {};
  /** The kernels by number, for each memory. */
  const instances: ((...values: number[]) => number)[][] = [];
  const add = ({ memory, address, productScratch }: Home): void => {
    const instance = new WebAssembly.Instance(data.module, {
      env: { memory, product, softmax, readFile: readsInto(memory, readSync) },
    });
    const kernels = instance.exports as Record<string, (...values: number[]) => number>;
    kernels["setRank"]!(data.rank);
    kernels["setAddress"]!(address);
    kernels["setProductScratch"]!(productScratch + data.rank * kernels["productScratchBytes"]!());
    kernels["useLibrary"]!(Number(product !== none), Number(softmax !== none));
    instances.push(Object.values(kernels));
  };
  add(data.first);
  const control = new Int32Array(buffer, data.control, 16);
  const values = new Float64Array(buffer, data.values, 32);

  const fail = (error: unknown): void => {
    const text = new Uint8Array([...String(error)].slice(0, 200).map((letter) => letter.charCodeAt(0) & 127));
    new Uint8Array(buffer, data.message, 200).set(text);
    Atomics.store(control, places.failure, text.length);
  };

  ready();
  for (let polls = 0; ; polls++) {
    const word = Atomics.load(control, places.job);
    const unclaimed = word & 4095;
    if (unclaimed === 0) {
      if (polls < POLLS_BEFORE_SLEEP) continue;
      Atomics.add(control, places.asleep, 1);
      Atomics.wait(control, places.job, word);
      Atomics.sub(control, places.asleep, 1);
      polls = 0;
      continue;
    }
    const [memory, kernel] = [control[places.memory]!, control[places.kernel]!];
    const [units, chunk] = [control[places.units]!, control[places.chunk]!];
    const given = Array.from(values.subarray(0, control[places.values]));
    if (Atomics.compareExchange(control, places.job, word, word - 1) !== word) continue;
    const from = (unclaimed - 1) * chunk;
    try {
      while (instances.length <= memory) add(receive());
      instances[memory]![kernel]!(...given, from, Math.min(units, from + chunk));
    } catch (error) {
      fail(error);
    }
    Atomics.add(control, places.finished, 1);
    if (Atomics.load(control, places.waiting) === 1) Atomics.notify(control, places.finished);
    polls = 0;
  }
}
