import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import type { Tokenizer } from "../text/index.ts";
import { originOf } from "../text/tokenizer.ts";
import { unpackResults, type PackedResults, type RowResult, type RowText, type SentOptions } from "./row-batch.ts";
import type { RowTokenOptions } from "./row-tokens.ts";

/** Threads that tokenize rows beside this one. */
export interface RowHelpers {
  /** All have started, or will not. */
  readonly started: Promise<unknown>;
  /** Whether one waits for rows. */
  isFree(): boolean;
  /** The results of a batch; undefined where a thread ended, or the rows cannot be sent to one. Only if one is free. */
  tokenize(rows: readonly RowText[]): Promise<readonly RowResult[] | undefined>;
  /** Ends the threads. */
  close(): void;
}

/** So that a thread has the next batch when it is done with one. */
const batchesOfThread = 2;

/**
 * Starts threads; rows are given to each from when it is ready. One that does not start, or ends, is done without.
 *
 * @param program what a thread runs, as a `file:` URL
 * @returns undefined for a tokenizer that cannot be made again in a thread
 */
export function startHelpers(
  tokenizer: Tokenizer,
  options: RowTokenOptions,
  { count, program = ownProgram }: { count: number; program?: string | undefined },
): RowHelpers | undefined {
  const origin = originOf(tokenizer);
  if (origin === undefined) return undefined;
  const threads = new Set<HelperThread>();
  for (let i = 0; i < count; i++) {
    const thread = startThread(program, { origin, options: sent(options) }, () => thread && threads.delete(thread));
    if (thread === undefined) break;
    threads.add(thread);
  }
  const free = (): HelperThread | undefined => {
    const able = [...threads].filter(({ isReady, waiting }) => isReady() && waiting() < batchesOfThread);
    return able.toSorted((a, b) => a.waiting() - b.waiting())[0];
  };
  return {
    started: Promise.all([...threads].map(({ started }) => started)),
    isFree: () => free() !== undefined,
    tokenize: (rows) => free()?.tokenize(rows) ?? Promise.resolve(undefined),
    close: () => threads.forEach((thread) => thread.close()),
  };
}

function sent({ names: _, ...options }: RowTokenOptions): SentOptions {
  const { maxTokens, truncate, template, trainTurns, promptWeight, systemWeight, systemPrompt, separator } = options;
  return JSON.parse(
    JSON.stringify({ maxTokens, truncate, template, trainTurns, promptWeight, systemWeight, systemPrompt, separator }),
  ) as SentOptions;
}

interface HelperThread extends Pick<RowHelpers, "started" | "tokenize" | "close"> {
  isReady(): boolean;
  /** Batches that were given to it. */
  waiting(): number;
}

function startThread(program: string, workerData: object, onEnd: () => void): HelperThread | undefined {
  const worker = newWorker(program, workerData);
  if (worker === undefined) return undefined;
  let isReady = false;
  let settle: () => void;
  const started = new Promise<void>((resolve) => (settle = resolve));
  const asked: ((results: readonly RowResult[] | undefined) => void)[] = [];
  worker.on("message", (message: PackedResults | "ready") => {
    if (message === "ready") {
      isReady = true;
      settle();
    } else asked.shift()?.(unpackResults(message));
  });
  const end = (): void => {
    isReady = false;
    settle();
    for (const answer of asked.splice(0)) answer(undefined);
    onEnd();
  };
  worker.on("error", end).on("exit", end);
  worker.unref(); // one that only starts keeps no process alive
  return {
    started,
    isReady: () => isReady,
    waiting: () => asked.length,
    tokenize(rows) {
      try {
        worker.postMessage(rows);
      } catch {
        return Promise.resolve(undefined); // a row holds what no thread can be sent
      }
      worker.ref();
      return new Promise((resolve) => {
        asked.push((results) => {
          if (asked.length === 0) worker.unref();
          resolve(results);
        });
      });
    },
    close: () => void worker.terminate(),
  };
}

const ownProgram = new URL(import.meta.url.endsWith(".ts") ? "./row-thread.ts" : "./row-thread.js", import.meta.url)
  .href;

function newWorker(program: string, workerData: object): Worker | undefined {
  try {
    if (!program.endsWith(".ts")) return new Worker(new URL(program), { workerData });
    // sources, which tsx runs, as elsewhere
    const tsx = createRequire(import.meta.url)
      .resolve("tsx/esm/api")
      .replace(/cjs$/, "mjs");
    const load = `import(${JSON.stringify(pathToFileURL(tsx).href)})`;
    const source = `${load}.then(({ register }) => (register(), import(${JSON.stringify(program)})));`;
    return new Worker(source, { eval: true, execArgv: [], workerData });
  } catch {
    return undefined;
  }
}
