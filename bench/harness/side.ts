import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { dirname, extname, join } from "node:path";
import { createInterface } from "node:readline";
import { UserError } from "../../src/system/errors.ts";
import { packageRoot } from "../../src/system/package-root.ts";

/** One contender: a process of its own that answers JSON lines, see `serve.ts` and `peers/serve.py`. */
export interface SideOptions {
  /** What the table calls it. */
  name: string;
  /** "ours", or the path of a Python. */
  program: string;
  /** Which benchmark's process: `bench/NAME.ts` or `bench/peers/NAME.py`. */
  benchmark: string;
  /** What it is told at its start. */
  settings: object;
  /** Others are compared with this one. */
  baseline?: boolean;
}

/** Our side, and where there is a Python its, with which ours is compared. */
export function bothSides(
  benchmark: string,
  settings: object,
  { python, called = "PyTorch" }: { python: string | undefined; called?: string },
): SideOptions[] {
  const ours = { name: "tokensift", program: "ours", benchmark, settings };
  return python === undefined ? [ours] : [ours, { name: called, program: python, benchmark, settings, baseline: true }];
}

/** What a process says when it is ready. */
export interface Ready {
  /** Software and versions. */
  about: string;
  /** 10^9 operations a second in products of 1024 x 1024 matrices, where it was asked to measure them. */
  peakGflops?: number;
}

/** What a process says of a round. */
export interface Answer {
  seconds: number;
  /** Of all its threads. */
  cpuSeconds: number;
  /** The same over the whole round, where that holds more than what is measured. */
  wholeCpuSeconds: number;
  /** Largest resident size so far. */
  peakBytes: number;
  [figure: string]: unknown;
}

export interface Side extends SideOptions, Ready {
  round(request: object): Promise<Answer>;
  end(): Promise<void>;
}

/** Starts the process and waits until it is set up and warm. */
export async function startSide(options: SideOptions): Promise<Side> {
  const { program, benchmark, settings } = options;
  const told = JSON.stringify(settings);
  const child =
    program === "ours"
      ? spawn(process.execPath, [...ours(), benchmark, told], { cwd: packageRoot() })
      : spawn(program, [join(packageRoot(), "bench/peers", `${benchmark}.py`), told], {
          env: pythonEnvironment(settings),
        });
  const answers = answersOf(child, options.name);
  const ready = (await answers.next()) as Ready & object;
  return {
    ...options,
    ...ready,
    async round(request) {
      child.stdin!.write(`${JSON.stringify(request)}\n`);
      return (await answers.next()) as Answer;
    },
    async end() {
      const ended = child.exitCode === null ? once(child, "exit") : undefined;
      child.stdin!.end();
      await ended;
    },
  };
}

/** What Node is told to start our side as this process was: TypeScript through tsx, or compiled. */
function ours(): string[] {
  const main = process.argv[1]!;
  return [...process.execArgv, join(dirname(main), `ours${extname(main)}`)];
}

function pythonEnvironment(settings: { threads?: number }): NodeJS.ProcessEnv {
  const threads = settings.threads === undefined ? {} : { OMP_NUM_THREADS: String(settings.threads) };
  return { ...process.env, ...threads, TOKENIZERS_PARALLELISM: "false" };
}

/** The process's JSON lines, one at a time; libraries may print other lines between them. */
function answersOf(child: ChildProcess, name: string): { next(): Promise<unknown> } {
  let errors = "";
  child.stderr!.on("data", (text: Buffer) => (errors = (errors + text.toString()).slice(-2000)));
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  child.stdin!.on("error", () => undefined); // the reason is in what the process printed last
  return {
    async next() {
      for (;;) {
        const { value, done } = await lines.next();
        if (done === true)
          throw new SideEnded("process-ended", `its process ended: ${lastLine(errors)}`, { where: name });
        if (String(value).startsWith("{")) return JSON.parse(String(value)) as unknown;
      }
    },
  };
}

function lastLine(text: string): string {
  const line = text.trim().split("\n").at(-1)!;
  return line === "" ? "killed, perhaps for lack of memory" : line;
}

/** A contender's process ended before it was asked to. */
export class SideEnded extends UserError {}
