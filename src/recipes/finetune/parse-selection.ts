import { UserError } from "../../system/errors.ts";
import type { SelectionChoice } from "../../selection/choice.ts";
import type { KnownRules } from "./config.ts";
import { sectionSchema, unknownRule } from "./config.ts";
import { keyName } from "../../config/problem.ts";
import { applySettings } from "../../config/settings.ts";
import { validate } from "../../config/validate.ts";

/**
 * A rule and its options given on the command line alone: `--selector sstoken --set ratio=0.6`.
 * @throws UserError with every problem at once
 */
export function parseSelection(rules: KnownRules, method: string, set: readonly string[]): SelectionChoice {
  const schema = sectionSchema(method, rules);
  if (schema === undefined) throw new UserError(unknownRule(method, rules.methods), { where: "--selector" });
  const selection: SelectionChoice = { method };
  const { unreadable } = applySettings(selection as { method: string }, set);
  const wrong = [
    ...unreadable.map(({ text, message }) => `--set ${text}: ${message}`),
    ...validate("checking", schema, selection).map(({ path, message }) => `${keyName(path)} ${message}`),
  ];
  if (wrong.length === 0) return selection;
  throw new UserError(wrong.join("\n  "), { where: `--selector ${method}` });
}
