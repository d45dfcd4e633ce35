import { engineNames, mostThreads } from "../config/groups.ts";
import { engineText, releaseEngine, useEngine, type EngineInfo } from "../tensor/engine.ts";
import type { TextStream } from "../system/streams.ts";
import { oneOf, wholeNumber } from "./values.ts";

/** The flags of every command that computes. */
export const engineFlags = {
  engine: { type: "string", value: "NAME", description: "What computes: auto (default), cpu, webgpu or tensorflow." },
  threads: { type: "string", value: "N", description: "Threads of the cpu engine. Default: the machine's cores." },
} as const;

/** Runs `work` on the engine that the flags name and says which it is; the engine is released afterwards. */
export async function withEngine<T>(
  values: { engine?: string; threads?: string },
  stderr: TextStream,
  work: (engine: EngineInfo) => Promise<T>,
): Promise<T> {
  const choice = oneOf("engine", values.engine ?? "auto", engineNames);
  const threads = wholeNumber("threads", values.threads, { maximum: mostThreads });
  try {
    const engine = await useEngine(choice, threads === undefined ? {} : { threads });
    stderr.write(`engine: ${engineText(engine)}\n`);
    if (engine.warning !== undefined) stderr.write(`${engine.warning}\n`);
    return await work(engine);
  } finally {
    releaseEngine();
  }
}
