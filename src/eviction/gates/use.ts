import { optional } from "../../system/optional.ts";
import { UserError } from "../../system/errors.ts";
import type { ExemptionOptions } from "../exemptions.ts";
import type { RowKind } from "./layout.ts";

/** How trained gates decide what a cache keeps; as in training, unless there is a reason. */
export interface GateUse extends ExemptionOptions {
  /** Tau: an entry is kept where its probability is above. In [0, 1). Default 0.5. */
  readonly threshold?: number;
  /**
   * In place of a threshold, share of a prompt's tokens of which each head keeps the entries, those exempt among them and
   * then the best. In (0, 1].
   */
  readonly ratio?: number;
  /** What the rows were that they were trained on. Default `prompts`. */
  readonly rows?: RowKind;
}

/** All of it: a ratio, or else a threshold. */
export type ResolvedUse = Required<Omit<GateUse, "threshold" | "ratio">> & Pick<GateUse, "threshold" | "ratio">;

/**
 * All of it given. Without anything (gates of earlier releases), the defaults.
 * @param where the file it was read from, for messages
 * @throws UserError naming what does not fit
 */
export function resolveUse(given: unknown = {}, where?: string): ResolvedUse {
  const { sinks = 4, window = 16, ratio, rows = "prompts", ...use } = (given ?? {}) as GateUse;
  const { threshold = ratio === undefined ? 0.5 : undefined } = use;
  const check = (fits: boolean, key: string, rule: string, found: unknown): void => {
    if (!fits)
      throw new UserError("invalid-option", `${key} of the gates must be ${rule}, not ${JSON.stringify(found)}`, {
        ...(where !== undefined && { where }),
      });
  };
  check(Number.isSafeInteger(sinks) && sinks >= 0, "sinks", "a whole number, 0 or more", sinks);
  check(Number.isSafeInteger(window) && window >= 0, "window", "a whole number, 0 or more", window);
  check(
    threshold === undefined || (threshold >= 0 && threshold < 1),
    "threshold",
    "a number from 0 to below 1",
    threshold,
  );
  check(ratio === undefined || (ratio > 0 && ratio <= 1), "ratio", "a number above 0, at most 1", ratio);
  check(ratio === undefined || threshold === undefined, "threshold", "left out beside ratio", threshold);
  check(rows === "prompts" || rows === "text", "rows", "prompts or text", rows);
  return { sinks, window, ...optional({ threshold, ratio }), rows };
}
