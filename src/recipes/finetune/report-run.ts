import { type Explorer, explorerOf } from "../../report/explorer/explorer.ts";
import { groupOf } from "../../report/header.ts";
import { comparedArms, readRun } from "../../report/read-run.ts";
import type { Run, RunLayout } from "../../report/run.ts";
import { type JsonObject, textOf } from "../../report/run-files.ts";
import { optional } from "../../system/optional.ts";

/** The main arm in the run's folder, one for each rule of `compare` beside it. */
const layout: RunLayout = {
  main: (config) => optional({ method: methodOf(config) }),
  others: (config) => comparedArms(config).map(({ name, entry }) => ({ name, method: methodOf(entry) })),
};

function methodOf(config: JsonObject): string | undefined {
  return textOf(groupOf(config, "selection")["method"]);
}

/**
 * Reads the folder of a fine-tuning run, and makes the explorer of its rows where they can be weighed in the page.
 * @throws UserError if the folder holds no run or a file of it is broken
 */
export function readFinetuneRun(folder: string): { run: Run; explorer: Explorer | undefined } {
  const run = readRun(folder, layout);
  return { run, explorer: explorerOf(run, ruleOptions(run)) };
}

/** Options of the run's rule: its own, and the history, which the configuration has beside it. */
function ruleOptions({ config, main }: Run): Readonly<Record<string, unknown>> {
  const own = Object.fromEntries(Object.entries(groupOf(config, "selection")).filter(([key]) => key !== "method"));
  return main.method === "sstoken" ? { ...own, history: groupOf(config, "history") } : own;
}
