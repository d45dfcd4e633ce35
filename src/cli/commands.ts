import { nearest } from "../config/nearest.ts";
import { UserError } from "../system/errors.ts";
import { aligned } from "./layout.ts";
import type { Command } from "./command.ts";
import type { Streams } from "../system/streams.ts";
import { exitCodeOf } from "../system/exit-code.ts";

interface Entry {
  readonly summary: string;
  /** Loaded when it is wanted, so that a help text does not wait for the engine. */
  load(): Promise<Command>;
}

const commands: Readonly<Record<string, Entry>> = {
  train: {
    summary: "Train with a recipe; without a name, list the recipes.",
    load: async () => (await import("./train.ts")).train,
  },
  reproduce: {
    summary: "Run a grid of configurations and seeds, and compare them.",
    load: async () => (await import("./reproduce.ts")).reproduce,
  },
  recipe: {
    summary: "Copy a recipe's trainer into a file of yours, to edit and run.",
    load: async () => (await import("./recipe/recipe.ts")).recipe,
  },
  doctor: {
    summary: "Show what this machine can run: engines, versions, memory.",
    load: async () => (await import("./doctor/doctor.ts")).doctor,
  },
  generate: {
    summary: "Answer a prompt.",
    load: async () => (await import("./generate.ts")).generateText,
  },
  merge: {
    summary: "Write a model with an adapter merged into its weights.",
    load: async () => (await import("./merge.ts")).merge,
  },
  inspect: {
    summary: "Show how a data file is read: format, tokens, and which of them are trained.",
    load: async () => (await import("./inspect/inspect.ts")).inspect,
  },
  data: {
    summary: "Write data, rows or their tokens, as one file of Arrow or JSON Lines.",
    load: async () => (await import("./data/data.ts")).data,
  },
  explain: {
    summary: "Explain a rule, a preference form or an eviction score: formula, paper, options.",
    load: async () => (await import("./explain.ts")).explainMethod,
  },
  export: {
    summary: "Write a model, or an adapter, as one GGUF file for llama.cpp and Ollama.",
    load: async () => (await import("./export/export.ts")).exportModel,
  },
  score: {
    summary: "Write losses, attention, entropies and weights of every token to a file.",
    load: async () => (await import("./score/score.ts")).score,
  },
  compare: {
    summary: "Put runs, seeds and arms beside each other on one page.",
    load: async () => (await import("./compare.ts")).compare,
  },
  watch: {
    summary: "Show a run's page in the browser while the run goes on.",
    load: async () => (await import("./watch.ts")).watch,
  },
  tensorboard: {
    summary: "Write the logs of runs as event files for TensorBoard.",
    load: async () => (await import("./tensorboard.ts")).tensorboard,
  },
  evict: {
    summary: "Compare what caches that drop entries still know: scores, gates and controls.",
    load: async () => (await import("./evict/evict.ts")).evict,
  },
  critical: {
    summary: "Find the tokens that made wrong answers wrong, by continuing them.",
    load: async () => (await import("./critical/critical.ts")).critical,
  },
  trial: {
    summary: "Find out on some of your rows, with errors that are known, which rule fits.",
    load: async () => (await import("./trial.ts")).trial,
  },
};

/**
 * Runs `tokensift` with the arguments behind its name.
 * @returns the exit code: 0, 2 for what the person at the keyboard can mend, 1 for what only we can, 130 after Ctrl-C;
 *   of a trainer, its own
 */
export async function runCommandLine(argv: readonly string[], streams: Streams): Promise<number> {
  const [name, ...rest] = argv;
  try {
    if (name === undefined || name === "help" || name === "--help" || name === "-h") {
      streams[name === undefined ? "stderr" : "stdout"].write(helpText());
      return name === undefined ? 2 : 0;
    }
    const command = await commandNamed(name).load();
    return await command(rest, streams);
  } catch (error) {
    const known = Object.hasOwn(commands, name ?? "");
    return exitCodeOf(error, known ? `tokensift ${name}` : "tokensift", streams.stderr);
  }
}

function helpText(): string {
  const rows = Object.entries(commands).map(([name, { summary }]) => [`  ${name}`, summary]);
  return `tokensift: train language models on the tokens that matter\n\n${aligned(rows)}\n  tokensift COMMAND --help tells more.\n`;
}

function commandNamed(name: string): Entry {
  if (Object.hasOwn(commands, name)) return commands[name]!;
  const near = nearest(name, Object.keys(commands));
  const fix = near === undefined ? `The commands are ${Object.keys(commands).join(", ")}.` : `Did you mean ${near}?`;
  throw new UserError("unknown-command", `there is no command ${JSON.stringify(name)}`, { fix });
}
