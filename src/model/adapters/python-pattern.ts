import { UserError, type ErrorCode } from "../../system/errors.ts";
import { show } from "../fields.ts";

/** Repetitions without a bound that a pattern may have: more could take for ever on a name that nearly fits. */
const mostRepetitions = 6;

/**
 * A pattern of PEFT's, which Python reads, as a JavaScript one that fits whole names alone.
 * @param where the file and key, for messages
 * @throws UserError for what the two languages read differently, or what could take for ever
 */
export function pythonPattern(source: string, where: string, code: ErrorCode = "invalid-adapter"): RegExp {
  const refuse = (why: string): never => {
    throw new UserError(code, `${show(source)} is not a pattern that can be used: ${why}`, {
      where,
      fix: "Name the modules in a list instead.",
    });
  };
  if (source.length > 2000) refuse("it is too long");
  const plain = source.replaceAll(/\\./gs, "").replaceAll(/\[[^\]]*\]/g, "x");
  if (/\\[AZz]/.test(source)) refuse("\\A and \\Z are not known here");
  if ([...plain.matchAll(/[*+]|\{\d*,\}/g)].length > mostRepetitions) refuse("it repeats too much");
  if (/\([^()]*(?:[*+]|\{\d*,\})[^()]*\)(?:[*+]|\{)/.test(plain)) refuse("it repeats a repetition");
  try {
    return new RegExp(`^(?:${source.replaceAll("(?P<", "(?<")})$`);
  } catch {
    return refuse("it cannot be read");
  }
}
