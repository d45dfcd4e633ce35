import { UserError } from "../../system/errors.ts";
import { unknownMethod } from "../../config/catalogue.ts";
import type { MethodChoice } from "../../config/method-choice.ts";
import { methodSchema } from "../../config/methods.ts";
import { rules } from "../../selection/catalogue.ts";
import { keyName } from "../../config/problem.ts";
import { applySettings } from "../../config/settings.ts";
import { validate } from "../../config/validate.ts";

/**
 * A rule and its options given on the command line alone: `--selector sstoken --set ratio=0.6`.
 * @throws UserError with every problem at once
 */
export function parseSelection(method: string, set: readonly string[]): MethodChoice {
  const schema = methodSchema({ catalogue: rules, elsewhere: ["history"] }, method);
  if (schema === undefined)
    throw new UserError("unknown-method", unknownMethod(rules, method), { where: "--selector" });
  const selection: MethodChoice = { method };
  const { unreadable } = applySettings(selection as { method: string }, set);
  const wrong = [
    ...unreadable.map(({ text, message }) => `--set ${text}: ${message}`),
    ...validate("checking", schema, selection).map(({ path, message }) => `${keyName(path)} ${message}`),
  ];
  if (wrong.length === 0) return selection;
  throw new UserError("invalid-option", wrong.join("\n  "), { where: `--selector ${method}` });
}
