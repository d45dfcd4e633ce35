import { resolve } from "node:path";
import { parseSelection } from "./parse-selection.ts";
import { hasOption } from "../../config/catalogue.ts";
import { selectEntry } from "../../config/load-entry.ts";
import type { MethodChoice } from "../../config/method-choice.ts";
import type { TokenRule } from "../../contract/index.ts";
import { UserError } from "../../system/errors.ts";
import { full } from "../../selection/full.ts";
import { rules } from "../../selection/catalogue.ts";
import { requireWeightsAlone } from "../../training/reduce.ts";
import { rowFileKind } from "../rows-file.ts";
import { requireWritableFile } from "../writable-file.ts";

/** The rule that the flags name, and what to say about it. */
export interface ChosenRule {
  readonly rule: TokenRule;
  readonly notes: readonly string[];
}

/** @throws UserError for an unknown rule or option, a rule whose second model is missing, or one with an anchor */
export async function chooseRule(values: {
  selector?: string;
  set?: string[];
  "history-model"?: string;
  "reference-model"?: string;
  server?: string;
}): Promise<ChosenRule> {
  const { selector, set = [] } = values;
  if (selector === undefined) {
    if (set.length > 0)
      throw new UserError("unused-option", "--set has no rule to set", { fix: "Name one with --selector." });
    return { rule: full(), notes: [] };
  }
  const { selection, notes } = withHistory(parseSelection(selector, set), values["history-model"]);
  const rule = await selectEntry(rules, selection, process.cwd());
  requireWeightsAlone(rule);
  for (const [signal, flag] of [
    ["historyNll", "history-model"],
    ["referenceNll", "reference-model"],
  ] as const) {
    const served = signal === "referenceNll" && values.server !== undefined;
    if (!rule.needs.includes(signal) || values[flag] !== undefined || served) continue;
    throw new UserError("missing-option", `the rule needs ${signal}, and --${flag} is missing`, {
      where: `--selector ${selector}`,
      fix: `Give the model that supplies it: --${flag} DIR|FILE.gguf`,
    });
  }
  return { rule, notes };
}

function withHistory(selection: MethodChoice, historyModel: string | undefined) {
  const { method } = selection;
  if (!hasOption(rules, method, "history") || historyModel !== undefined) return { selection, notes: [] };
  const notes = [`${method} without --history-model ranks by the attention on the prompt alone.`];
  return { selection: { ...selection, history: { source: "none" } }, notes };
}

/**
 * Checks that the result can be written, before anything is computed.
 * @throws UserError for another extension, a file that exists, or a folder that refuses
 */
export function requireWritable(path: string, { overwrite, data }: { overwrite: boolean; data: string | undefined }) {
  rowFileKind(path);
  if (data !== undefined && resolve(data) === resolve(path))
    throw new UserError("file-exists", "this is the data file itself", {
      where: path,
      fix: "Give --out another name.",
    });
  requireWritableFile(path, { overwrite });
}
