import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Catalogue } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { createFrom } from "./catalogue.ts";
import { isModulePath, type MethodChoice } from "./method-choice.ts";

/** What of a catalogue a module of the user's own must be measured by. */
type Kind = Pick<Catalogue<unknown>, "kind" | "key" | "own">;

/**
 * Loads a rule, a preference form, an eviction score or a reward of the user's own from a TypeScript or JavaScript module, which
 * exports either the value (`rule`), or a function of the options that returns one (`createRule`); `catalogue.own`
 * says under which names.
 *
 * ```ts
 * // my-rule.ts: trains what the model is not sure of
 * import { keepTop } from "tokensift/selection";
 * const score = { name: "unsure", needs: ["entropy"] as const, score: (tokens) => tokens.signals.entropy };
 * export const createRule = ({ ratio = 0.2 }) => keepTop(score, { ratio, scope: "step" });
 * ```
 *
 * @param path relative to the current folder
 * @param options what the configuration gives beside `method`
 * @throws UserError for a missing file, a module that fails to load, or a value of the wrong shape
 */
export async function loadEntry<T>(path: string, options: object, catalogue: Catalogue<T>): Promise<T> {
  const { kind, key, own }: Kind = catalogue;
  const where = resolve(path);
  const exported = await importModule(path, kind, `${key} names it.`);
  const create = exported[own.create];
  if (typeof create === "function") {
    const made = await attempt(where, `${own.create} failed`, () => (create as (options: object) => unknown)(options));
    return checked(made, where, { kind, own }) as T;
  }
  if (!(own.value in exported)) {
    throw new UserError("invalid-module", `The module exports neither \`${own.value}\` nor \`${own.create}\`.`, {
      where,
      fix: `Export ${withArticle(own.type)} as \`${own.value}\`, or a function \`${own.create}(options)\` that returns one.`,
    });
  }
  if (Object.keys(options).length > 0) {
    throw new UserError(
      "unused-option",
      `\`${own.value}\` takes no options, but there are: ${Object.keys(options).join(", ")}.`,
      {
        where,
        fix: `Export a function \`${own.create}(options)\` to use them.`,
      },
    );
  }
  return checked(exported[own.value], where, { kind, own }) as T;
}

/**
 * What a choice names: an entry of the catalogue, or a module of the user's own.
 * @param folder what a module's path is relative to, for a configuration its own folder
 * @throws UserError as `createFrom` and `loadEntry` do
 */
export async function selectEntry<T>(catalogue: Catalogue<T>, choice: MethodChoice, folder: string): Promise<T> {
  const { method, ...options } = choice;
  return isModulePath(method) ? loadEntry(resolve(folder, method), options, catalogue) : createFrom(catalogue, choice);
}

/**
 * What a module of the user's own exports.
 * @param kind what it holds, for messages
 * @throws UserError for a missing file, or a module that fails to load
 */
export async function importModule(path: string, kind: string, fix?: string): Promise<Record<string, unknown>> {
  const file = resolve(path);
  if (!existsSync(file))
    throw new UserError("missing-file", "There is no such file.", { where: file, ...(fix !== undefined && { fix }) });
  return attempt(file, "The module cannot be loaded", () => import(pathToFileURL(file).href), {
    ERR_UNKNOWN_FILE_EXTENSION:
      `This Node cannot run TypeScript: start with \`npx tsx\` (the command with \`npx tsx node_modules/.bin/tokensift\`), ` +
      `take Node 22.18 or newer, or write the ${kind} in JavaScript.`,
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
    if (cause instanceof UserError) throw new UserError(cause.code, cause.message, { where, cause });
    const { message, code } = (cause ?? {}) as { message?: string; code?: string };
    const fix = fixes[code ?? ""];
    throw new UserError("invalid-module", `${what}: ${message ?? String(cause)}`, {
      where,
      cause,
      ...(fix === undefined ? {} : { fix }),
    });
  }
}

/** `an AttentionScore`, `a TokenRule`. */
export const withArticle = (noun: string): string => `${/^[AEIO]/i.test(noun) ? "an" : "a"} ${noun}`;

/** The value itself. Throws one UserError that lists everything missing or wrong. */
function checked(value: unknown, where: string, { kind, own }: Pick<Kind, "kind" | "own">): unknown {
  const { fix, type, callable } = own;
  const wanted = callable ? "function" : "object";
  if (value === null || typeof value !== wanted)
    throw new UserError("invalid-module", `The ${kind} is not ${withArticle(wanted)}.`, { where, fix });
  const wrong = own.problems(value as Record<string, unknown>);
  if (wrong.length > 0)
    throw new UserError("invalid-module", `The ${kind} is not ${withArticle(type)}: ${wrong.join("; ")}.`, {
      where,
      fix,
    });
  return value;
}
