import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker, type MessagePort } from "node:worker_threads";

/** Which function of a module is called. */
export interface ModuleFunction {
  /** The module's file, which has been found to export it. */
  readonly path: string;
  /** Name of the exported function: `reward`. */
  readonly value: string;
  /** Name of the exported function that makes it of options, which goes before: `createReward`. */
  readonly create: string;
  /** Of `create`. */
  readonly options: object;
}

/** What a call came to: what the function returned, or why there is nothing, as the end of a sentence. */
export type Called = { readonly value: unknown } | { readonly failed: string };

/** A function of a module of the user's own, in a thread. It does not keep the process alive while it is idle. */
export interface ModuleThread {
  /**
   * Calls the function once; only one call at a time.
   * @param timeLimit longest time, in milliseconds
   */
  call(given: readonly unknown[], timeLimit: number): Promise<Called>;
  /** Ends the thread; the next call starts another. */
  close(): Promise<void>;
}

type Said = { readonly ready: true } | Called;

/** A thread, as a function that does not return can be ended there alone. Nothing is started before the first call. */
export function moduleThread(called: ModuleFunction): ModuleThread {
  let started: { worker: Worker; ready: Promise<Said> } | undefined;
  const close = async (): Promise<void> => {
    const worker = started?.worker;
    started = undefined;
    await worker?.terminate();
  };
  return {
    close,
    async call(given, timeLimit) {
      started ??= startThread(called);
      const { worker, ready } = started;
      worker.ref();
      let said = await ready;
      if (!("failed" in said)) {
        const answer = saidBy(worker, timeLimit);
        worker.postMessage(given);
        said = await answer;
      }
      worker.unref();
      if ("value" in said) return said;
      await close();
      return "failed" in said ? said : { failed: "gave nothing" };
    },
  };
}

function startThread({ path, ...called }: ModuleFunction): { worker: Worker; ready: Promise<Said> } {
  // compilers that keep function names call __name on inner functions; the thread has no such helper
  const source = `
    const __name = (f) => f;
    const { parentPort, workerData } = require("node:worker_threads");
    (${threadMain.toString()})(parentPort, workerData, (url) => import(url));`;
  const workerData: ThreadData = { ...called, module: pathToFileURL(path).href, loader: typeScriptLoader() };
  const worker = new Worker(source, { eval: true, execArgv: [], workerData });
  return { worker, ready: saidBy(worker) };
}

/** What the thread says next; that it took too long, if it says nothing in time. */
function saidBy(worker: Worker, timeLimit?: number): Promise<Said> {
  return new Promise((resolve) => {
    const settle = (said: Said): void => {
      clearTimeout(timer);
      worker.off("message", settle).off("error", onError).off("exit", onExit);
      resolve(said);
    };
    const onError = (error: Error): void => settle({ failed: `failed: ${error.message}` });
    const onExit = (): void => settle({ failed: "ended its thread" });
    const late = (): void => settle({ failed: `took longer than ${timeLimit} ms (timeLimit)` });
    const timer = timeLimit === undefined ? undefined : setTimeout(late, timeLimit);
    worker.on("message", settle).on("error", onError).on("exit", onExit);
  });
}

/** The module by which tsx, where this process runs under it, runs TypeScript in a thread, too. */
function typeScriptLoader(): string | undefined {
  const tsx = process.execArgv.find((argument) => /\/tsx\/dist\/.*loader\.mjs$/.test(argument));
  if (tsx === undefined) return undefined;
  const api = createRequire(tsx).resolve("tsx/esm/api");
  return pathToFileURL(api.replace(/cjs$/, "mjs")).href;
}

interface ThreadData extends Omit<ModuleFunction, "path"> {
  readonly module: string;
  readonly loader: string | undefined;
}

type Exported = Readonly<Record<string, unknown>>;

/** The life of the thread. It is started from the text of this function, which must use nothing from outside. */
function threadMain(
  port: MessagePort,
  { module, loader, options, value: name, create }: ThreadData,
  load: (url: string) => Promise<Exported>,
): void {
  const textOf = (error: unknown): string => {
    return error instanceof Error ? `${error.name}: ${error.message}` : `${typeof error} ${String(error)}`;
  };
  type TypeScriptImport = (url: string, from: string) => Promise<Exported>;
  type Function = (...given: unknown[]) => unknown;
  async function open(): Promise<Function> {
    const tsx = loader === undefined ? undefined : ((await load(loader))["tsImport"] as TypeScriptImport);
    const exported = await (tsx?.(module, module) ?? load(module));
    const make = exported[create];
    return (typeof make === "function" ? await make(options) : exported[name]) as Function;
  }
  async function answer(called: Function, given: readonly unknown[]): Promise<void> {
    let value: unknown;
    try {
      value = await called(...given);
    } catch (error) {
      return port.postMessage({ failed: `threw ${textOf(error)}` });
    }
    try {
      port.postMessage({ value });
    } catch (error) {
      port.postMessage({ failed: `returned what cannot leave its thread: ${textOf(error)}` });
    }
  }
  open().then(
    (called) => {
      port.on("message", (given: readonly unknown[]) => void answer(called, given));
      port.postMessage({ ready: true });
    },
    (error: unknown) => port.postMessage({ failed: `cannot be loaded: ${textOf(error)}` }),
  );
}
