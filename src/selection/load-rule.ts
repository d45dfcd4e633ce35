import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { TokenRule } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";

/**
 * Loads a rule of the user's own from a TypeScript or JavaScript module, which exports either `rule`, a `TokenRule`,
 * or `createRule(options)`, a function that returns one.
 *
 * ```ts
 * // my-rule.ts: trains what the model is not sure of
 * import { keepTop } from "tokensift/selection";
 * const score = { name: "unsure", needs: ["entropy"] as const, score: (tokens) => tokens.signals.entropy };
 * export const createRule = ({ ratio = 0.2 }) => keepTop(score, { ratio, scope: "step" });
 * ```
 *
 * @param path relative to the current folder
 * @param options what the config's `selection` holds besides `method`
 * @throws UserError for a missing file, a module that fails to load, or a rule of the wrong shape
 */
export async function loadRule(path: string, options: object = {}): Promise<TokenRule> {
  const file = resolve(path);
  if (!existsSync(file))
    throw new UserError("There is no such file.", { where: file, fix: "selection.method names it." });
  const exported = await importModule(file);
  if (typeof exported["createRule"] === "function") {
    const rule = await attempt(file, "createRule failed", () =>
      (exported["createRule"] as (o: object) => unknown)(options),
    );
    return checkedRule(rule, file);
  }
  if (!("rule" in exported)) {
    throw new UserError("The module exports neither `rule` nor `createRule`.", {
      where: file,
      fix: "Export a TokenRule as `rule`, or a function `createRule(options)` that returns one.",
    });
  }
  if (Object.keys(options).length > 0) {
    throw new UserError(`\`rule\` takes no options, but there are: ${Object.keys(options).join(", ")}.`, {
      where: file,
      fix: "Export a function `createRule(options)` to use them.",
    });
  }
  return checkedRule(exported["rule"], file);
}

async function importModule(file: string): Promise<Record<string, unknown>> {
  return attempt(file, "The module cannot be loaded", () => import(pathToFileURL(file).href), {
    ERR_UNKNOWN_FILE_EXTENSION:
      "This Node cannot run TypeScript: start with `npx tsx`, or write the rule in JavaScript.",
  });
}

async function attempt<T>(
  where: string,
  what: string,
  work: () => T | Promise<T>,
  fixes: Record<string, string> = {},
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof UserError) throw new UserError(cause.message, { where, cause });
    const { message, code } = (cause ?? {}) as { message?: string; code?: string };
    const fix = fixes[code ?? ""];
    throw new UserError(`${what}: ${message ?? String(cause)}`, {
      where,
      cause,
      ...(fix === undefined ? {} : { fix }),
    });
  }
}

const signalName = /^(nll|historyNll|referenceNll|promptAttention|entropy|entropyTop20|column:.+)$/;
const scopes = ["response", "step", "dataset"];
const divisors = ["kept", "response", "weights", "sequence", "sequenceBudget", "microBatch"];

/** The value as a rule. Throws one UserError that lists everything missing or wrong. */
function checkedRule(value: unknown, where: string): TokenRule {
  if (value === null || typeof value !== "object") throw new UserError("The rule is not an object.", { where, fix });
  const { name, needs, scope, divideBy, ratio, weigh, metrics } = value as Record<string, unknown>;
  const wrong: string[] = [];
  if (typeof name !== "string" || name === "") wrong.push("name must be a text");
  if (!Array.isArray(needs)) wrong.push("needs must be a list of signals");
  else
    for (const need of needs) if (!signalName.test(String(need))) wrong.push(`needs has no signal "${String(need)}"`);
  if (!scopes.includes(scope as string)) wrong.push(`scope must be one of ${scopes.join(", ")}`);
  if (!divisors.includes(divideBy as string)) wrong.push(`divideBy must be one of ${divisors.join(", ")}`);
  if (ratio !== undefined && !(typeof ratio === "number" && ratio > 0)) wrong.push("ratio must be a number above 0");
  if (typeof weigh !== "function") wrong.push("weigh must be a function (tokens, context) => Float32Array");
  if (metrics !== undefined && typeof metrics !== "function") wrong.push("metrics must be a function");
  if (wrong.length > 0) throw new UserError(`The rule is not a TokenRule: ${wrong.join("; ")}.`, { where, fix });
  return value as TokenRule;
}

const fix = "keepTop(score, budget) makes a rule of a score; TokenRule says what a rule of your own needs.";
