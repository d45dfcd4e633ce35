import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker, type MessagePort } from "node:worker_threads";
import { UserError } from "../system/errors.ts";
import { placeOf } from "./reward-sum.ts";
import type { Reward, RewardedResponse } from "./reward.ts";

export interface OwnRewardOptions {
  /** The module's file, which has been found to export a reward. */
  readonly path: string;
  readonly name: string;
  /** Of `createReward`. */
  readonly options: object;
  /** Longest time for one response, in milliseconds. */
  readonly timeLimit: number;
}

type Asked = Pick<RewardedResponse, "question" | "text" | "reference">;

/** What a thread says: that it is ready, what the function returned, or why there is nothing. */
type Said = { ready: true } | { value: number } | { failed: string };

/**
 * A module's `reward`, or what its `createReward` makes of the options, for one response after the other. It runs in a
 * thread, as a function that does not return can be ended there alone.
 *
 * @throws UserError, when it scores, for a response on which the function throws, takes longer than it may, or returns
 *   something else than a finite number; it names row and response
 */
export function threadReward(options: OwnRewardOptions): Reward {
  const { name, path, timeLimit } = options;
  let started: { worker: Worker; ready: Promise<Said> } | undefined;
  const end = async (): Promise<void> => {
    const worker = started?.worker;
    started = undefined;
    await worker?.terminate();
  };
  const scoreOf = async (response: RewardedResponse): Promise<number> => {
    started ??= startThread(options);
    const { worker, ready } = started;
    worker.ref();
    let said = await ready;
    if (!("failed" in said)) {
      const { question, text, reference } = response;
      const answer = saidBy(worker, timeLimit);
      worker.postMessage({ question, text, reference } satisfies Asked);
      said = await answer;
    }
    worker.unref();
    if ("value" in said) return said.value;
    await end();
    throw new UserError("reward-failed", `The reward ${name} ${"failed" in said ? said.failed : "gave nothing"}.`, {
      where: `${path}: ${placeOf(response)}`,
      fix: "Mend the file, then continue with --resume.",
    });
  };
  return {
    name,
    async score(group) {
      const values: number[] = [];
      for (const response of group) values.push(await scoreOf(response));
      return values;
    },
    close: end,
  };
}

function startThread({ path, options }: OwnRewardOptions): { worker: Worker; ready: Promise<Said> } {
  // compilers that keep function names call __name on inner functions; the thread has no such helper
  const source = `
    const __name = (f) => f;
    const { parentPort, workerData } = require("node:worker_threads");
    (${threadMain.toString()})(parentPort, workerData, (url) => import(url));`;
  const workerData: ThreadData = { module: pathToFileURL(path).href, loader: typeScriptLoader(), options };
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

interface ThreadData {
  readonly module: string;
  readonly loader: string | undefined;
  readonly options: object;
}

type Exported = Readonly<Record<string, unknown>>;

/** The life of the thread. It is started from the text of this function, which must use nothing from outside. */
function threadMain(
  port: MessagePort,
  { module, loader, options }: ThreadData,
  load: (url: string) => Promise<Exported>,
): void {
  const say = (said: Said): void => port.postMessage(said);
  const textOf = (error: unknown): string => {
    return error instanceof Error ? `${error.name}: ${error.message}` : `${typeof error} ${String(error)}`;
  };
  const shown = (value: unknown): string => {
    return typeof value === "number" || typeof value === "string" ? JSON.stringify(value).slice(0, 80) : typeof value;
  };
  type TypeScriptImport = (url: string, from: string) => Promise<Exported>;
  type Function = (...given: unknown[]) => unknown;
  async function open(): Promise<Function> {
    const tsx = loader === undefined ? undefined : ((await load(loader))["tsImport"] as TypeScriptImport);
    const exported = await (tsx?.(module, module) ?? load(module));
    const create = exported["createReward"];
    return (typeof create === "function" ? await create(options) : exported["reward"]) as Function;
  }
  async function answer(reward: Function, { question, text, reference }: Asked): Promise<Said> {
    try {
      const value = await reward(question, text, reference);
      if (typeof value === "number" && Number.isFinite(value)) return { value };
      const found = typeof value === "number" ? String(value) : shown(value);
      return { failed: `returned ${found}, which is not a finite number` };
    } catch (error) {
      return { failed: `threw ${textOf(error)}` };
    }
  }
  open().then(
    (reward) => {
      port.on("message", (asked: Asked) => void answer(reward, asked).then(say));
      say({ ready: true });
    },
    (error: unknown) => say({ failed: `cannot be loaded: ${textOf(error)}` }),
  );
}
