import { UserError, type ErrorCode } from "../../system/errors.ts";
import { show } from "../fields.ts";
import { patternNode } from "./pattern-node.ts";

/** Steps that one name may cost; ordinary patterns need some hundreds. */
const mostSteps = 500_000;

/**
 * Whether a pattern of PEFT's, as Python reads it, fits a whole name. All ways through the name are followed at once, so
 * the time grows with the lengths of both, and is bounded.
 * @param where the file and key, for messages
 * @throws UserError for what is not supported of Python's patterns; when used, for what takes too many steps
 */
export function pythonPattern(
  source: string,
  where: string,
  code: ErrorCode = "invalid-adapter",
): { test(name: string): boolean } {
  const refuse = (why: string): never => {
    throw new UserError(code, `${show(source)} is not a pattern that can be used: ${why}`, {
      where,
      fix: "Name the modules in a list instead.",
    });
  };
  if (source.length > 2000) refuse("it is too long");
  const node = patternNode(source, refuse);
  return {
    test(text) {
      let left = mostSteps;
      const spend = (steps: number): void => {
        left -= steps;
        if (left < 0) refuse("it takes too long");
      };
      return node.ends(new Set([0]), { text, spend }).has(text.length);
    },
  };
}
