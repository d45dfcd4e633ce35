import { readFileSync, statSync } from "node:fs";
import { UserError } from "../system/errors.ts";
import type { OptionNames } from "../system/option-names.ts";

const largestFile = 2 ** 20; // bytes

/**
 * A chat template that a person names: the text itself, or the path of a file with it. `tokenizer` stands for the
 * tokenizer's own, as does nothing.
 *
 * @param names how messages call the option
 * @throws UserError for a path without a file
 */
export function templateOption(given: string | undefined, names?: OptionNames): { template?: string } {
  if (given === undefined || given === "tokenizer") return {};
  if (/\{[{%#]/.test(given)) return { template: given };
  const entry = statSync(given, { throwIfNoEntry: false });
  if (entry?.isFile() === true && entry.size <= largestFile) return { template: readFileSync(given, "utf8") };
  throw new UserError("missing-file", "this is neither a chat template nor a file with one", {
    where: names?.("chatTemplate", given) ?? given,
    fix: "Give the path of a .jinja file, or the template's text.",
  });
}
