import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import { UserError } from "../../system/errors.ts";
import { threadMain, type Comparison, type Equality } from "./maths-thread.ts";

export interface ThreadLimits {
  /** Longest time that one call may compute, in milliseconds. */
  timeLimit: number;
  /** Largest heap of the thread, in MiB. */
  memoryLimit: number;
}

/** One thread that compares expressions, call after call. It does not keep the process alive while it is idle. */
export interface MathsThread {
  /**
   * @returns one entry per comparison, or "timeout" when the time or the memory limit was reached; the thread is then
   * ended and the next call starts another
   * @throws UserError after `close`; ThreadNotStarted when no thread can be started
   */
  compare(comparisons: readonly Comparison[]): Promise<Equality[] | "timeout">;
  /** Ends the thread; calls under way are rejected. */
  close(): Promise<void>;
}

interface Started {
  readonly worker: Worker;
  readonly ready: Promise<void>;
}

/** Nothing is started before the first comparison. */
export function mathsThread({ timeLimit, memoryLimit }: ThreadLimits): MathsThread {
  let started: Started | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let isClosed = false;

  function end(): Promise<unknown> {
    const ended = started?.worker.terminate();
    started = undefined;
    return ended ?? Promise.resolve();
  }

  async function compareNow(comparisons: readonly Comparison[]): Promise<Equality[] | "timeout"> {
    if (isClosed) throw closedError();
    const { worker, ready } = (started ??= startThread(memoryLimit));
    worker.ref();
    try {
      await ready.catch((error: unknown) => {
        throw new ThreadNotStarted("The thread that compares expressions does not start.", { cause: error });
      });
      return await answerOf(worker, comparisons, timeLimit);
    } catch (error) {
      void end();
      if (isClosed) throw closedError();
      if (error instanceof LimitReached) return "timeout";
      throw error;
    } finally {
      worker.unref();
    }
  }

  return {
    compare(comparisons) {
      const result = last.then(() => compareNow(comparisons));
      last = result.catch(() => undefined);
      return result;
    },
    async close() {
      isClosed = true;
      await end();
    },
  };
}

class LimitReached extends Error {}

/** No expression can be compared: no fault of any answer. */
export class ThreadNotStarted extends Error {}

function closedError(): UserError {
  return new UserError("closed", "The verifier is closed.", { fix: "Close it after the last verification." });
}

function startThread(memoryLimit: number): Started {
  // Compilers that keep function names call __name on inner functions; the thread has no such helper.
  const source = `
    const __name = (f) => f;
    const { parentPort, workerData } = require("node:worker_threads");
    (${threadMain.toString()})(require(workerData.library), parentPort);`;
  const worker = new Worker(source, {
    eval: true,
    execArgv: [],
    // as one file, which loads in a tenth of the time of its modules
    workerData: { library: createRequire(import.meta.url).resolve("mathjs/lib/browser/math.js") },
    resourceLimits: { maxOldGenerationSizeMb: memoryLimit, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 },
  });
  const ready = new Promise<void>((resolve, reject) => {
    worker.once("message", () => resolve());
    worker.once("error", reject);
    worker.once("exit", () => reject(new Error("The thread for expressions ended before it was ready.")));
  });
  ready.catch(() => undefined);
  worker.on("error", () => undefined);
  return { worker, ready };
}

function answerOf(worker: Worker, comparisons: readonly Comparison[], timeLimit: number): Promise<Equality[]> {
  return new Promise<Equality[]>((resolve, reject) => {
    const timer = setTimeout(() => settle(() => reject(new LimitReached())), timeLimit);
    const settle = (then: () => void): void => {
      clearTimeout(timer);
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      then();
    };
    const onMessage = (answer: Equality[]): void => settle(() => resolve(answer));
    const onError = (error: NodeJS.ErrnoException): void =>
      settle(() => reject(error.code === "ERR_WORKER_OUT_OF_MEMORY" ? new LimitReached() : error));
    const onExit = (): void => settle(() => reject(new Error("The thread for expressions was ended.")));
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    worker.postMessage(comparisons);
  });
}
