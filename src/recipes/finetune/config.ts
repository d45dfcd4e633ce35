import { basename, extname } from "node:path";
import type { TokenRule } from "../../contract/index.ts";
import { armNameProblems } from "../../config/arm-names.ts";
import type { FinetuneConfig } from "./config-schema.ts";
import type { SelectionChoice } from "../../selection/choice.ts";
import { finetuneSchema } from "./config-schema.ts";
import type { ConfigDefinition, Section } from "../../config/load.ts";
import { nearest } from "../../config/nearest.ts";
import { fillShared, trainingContradictions } from "../../config/shared.ts";
import { keyName, type KeyPath, type Problem } from "../../config/problem.ts";
import type { JsonSchema } from "../../contract/index.ts";
import { isRulePath } from "../../config/schema.ts";

/** What a fine-tuning configuration must know about the rules it can name. */
export interface KnownRules {
  readonly methods: readonly string[];
  /** JSON Schema of one rule's group, `method` included. */
  optionsSchema(method: string): JsonSchema;
  /** The selection of an arm that is given by its method alone: the main rule's shared options carried over. */
  comparisonArm(selection: SelectionChoice, method: string): SelectionChoice;
  /** What the rule of a valid selection asks of a run. */
  demands(selection: SelectionChoice): Pick<TokenRule, "needs" | "scope">;
}

/** Options that the configuration has as groups of its own, beside `selection`. */
const elsewhere = ["history"];

/**
 * How a fine-tuning configuration is read.
 * @param defaults.method the rule when `selection.method` is not given: the recipe's own
 */
export function finetuneDefinition(rules: KnownRules, defaults: { method: string }): ConfigDefinition<FinetuneConfig> {
  return {
    schema: finetuneSchema,
    alternatives: [
      { keys: ["model", "fresh"], required: true },
      { keys: ["reference", "selfEvolving"] },
      { keys: ["training.steps", "training.epochs"] },
      { keys: ["training.warmupSteps", "training.warmupRatio"] },
    ],
    sections: (raw) => ruleSections(raw, rules, defaults.method),
    finish: (config, source) => {
      fillIn(config, source, rules);
      return [...contradictions(config), ...unmetDemands(config, rules)];
    },
  };
}

/** The groups whose keys depend on the rule they name. */
function ruleSections(raw: unknown, rules: KnownRules, defaultMethod: string) {
  const sections: Section[] = [];
  const problems: Problem[] = [];
  const choose = (selection: unknown, path: KeyPath) => {
    if (!isGroup(selection)) return;
    if (typeof selection["method"] !== "string") {
      const meant = Object.keys(selection).find((key) => key !== "method" && nearest(key, ["method"]) !== undefined);
      const message = `is not a known key; did you mean ${keyName([...path, "method"])}?`;
      if (meant !== undefined) problems.push({ path: [...path, meant], message, atKey: true });
      return;
    }
    const { method } = selection;
    const schema = sectionSchema(method, rules);
    if (schema !== undefined) sections.push({ path, schema });
    else problems.push({ path: [...path, "method"], message: unknownRule(method, rules.methods) });
  };
  if (!isGroup(raw)) return { sections, problems };
  raw["selection"] ??= {};
  if (isGroup(raw["selection"])) raw["selection"]["method"] ??= defaultMethod;
  choose(raw["selection"], ["selection"]);
  const arms = Array.isArray(raw["compare"]) ? raw["compare"] : [];
  for (const [index, arm] of arms.entries()) {
    if (isGroup(arm)) choose(arm["selection"], ["compare", index, "selection"]);
    else if (typeof arm === "string" && sectionSchema(arm, rules) === undefined)
      problems.push({ path: ["compare", index], message: unknownRule(arm, rules.methods) });
  }
  return { sections, problems };
}

/** Schema of a rule's group in a configuration; undefined for a name that no rule has. */
export function sectionSchema(method: string, rules: KnownRules): JsonSchema | undefined {
  if (isRulePath(method)) return { type: "object" };
  if (!rules.methods.includes(method)) return undefined;
  const schema = rules.optionsSchema(method);
  const properties = Object.entries(schema.properties ?? {}).filter(([key]) => !elsewhere.includes(key));
  return { ...schema, properties: Object.fromEntries(properties) };
}

/** What a message says of a name that no rule has. */
export function unknownRule(method: string, methods: readonly string[]): string {
  const near = nearest(method, methods);
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  return `is ${JSON.stringify(method)}, but must be one of ${methods.join(", ")}, or the path of a module (./my-rule.ts)${hint}`;
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Defaults that depend on other keys. */
function fillIn(config: FinetuneConfig, source: string, rules: KnownRules): void {
  fillShared(config, source);
  const arms = config.compare as (string | { name?: string; selection: SelectionChoice })[];
  config.compare = arms.map((arm) => {
    const selection =
      typeof arm !== "string"
        ? arm.selection
        : isRulePath(arm)
          ? { method: arm }
          : rules.comparisonArm(config.selection, arm);
    const name = typeof arm === "string" ? undefined : arm.name;
    return { name: name ?? ruleLabel(selection.method), selection };
  });
}

/** What a run under a rule is called: the rule's name, or that of its file without folder and ending. */
export function ruleLabel(method: string): string {
  return basename(method, extname(method));
}

function contradictions({ fresh, data, training, evaluation, compare }: FinetuneConfig): Problem[] {
  const problems: Problem[] = [];
  const refuse = (path: KeyPath, message: string) => problems.push({ path, message });
  if (fresh !== undefined && fresh.width % (2 * fresh.heads) !== 0)
    refuse(["fresh", "heads"], `must divide the width (${fresh.width}) into heads of even size, got ${fresh.heads}`);
  if (fresh?.keyValueHeads !== undefined && fresh.heads % fresh.keyValueHeads !== 0)
    refuse(["fresh", "keyValueHeads"], `must divide the ${fresh.heads} heads, got ${fresh.keyValueHeads}`);
  problems.push(...trainingContradictions(training, ["training"]));
  if (data.validation === undefined && evaluation.generate)
    refuse(["evaluation", "generate"], "needs held-out rows: give data.validation");
  problems.push(...armNameProblems(compare.map(({ name }, index) => ({ name, path: ["compare", index] }))));
  return problems;
}

/** What the rules of all arms ask for and the configuration does not give; each kind once. */
function unmetDemands(
  { selection, compare, reference, selfEvolving, history }: FinetuneConfig,
  rules: KnownRules,
): Problem[] {
  const problems = new Map<string, Problem>();
  const refuse = (path: KeyPath, message: string) => {
    if (!problems.has(path.join("."))) problems.set(path.join("."), { path, message });
  };
  const arms: [KeyPath, SelectionChoice][] = compare.map((arm, index) => [["compare", index], arm.selection]);
  for (const [path, choice] of [[["selection"], selection] as [KeyPath, SelectionChoice], ...arms]) {
    const { method } = choice;
    if (isRulePath(method)) continue;
    const { needs, scope } = rules.demands(choice);
    if (needs.includes("referenceNll") && reference === undefined && selfEvolving === undefined)
      refuse(["reference"], `is missing; ${method} compares with a reference model, give its path`);
    const canDoWithout = "history" in (rules.optionsSchema(method).properties ?? {});
    if (needs.includes("historyNll") && !canDoWithout && history.source === "none")
      refuse(["history", "source"], `is none, but ${method} compares with an earlier model: base, or a model's path`);
    if (scope === "dataset")
      refuse(
        path,
        `cannot train with ${method} over the dataset: write its weights with \`tokensift score\`, then train with ` +
          "dataset-weights, or give it another scope (step)",
      );
  }
  return [...problems.values()];
}
