import type { Divisor } from "../contract/index.ts";
import type { Rounding } from "../ranking/index.ts";

/** Options of every rule that keeps a share of the tokens. */
export interface ChooserOptions {
  /** Share of the response tokens to keep, in (0, 1]. Default 0.6. */
  readonly ratio?: number;
  /** Default `ceil`. */
  readonly rounding?: Rounding;
  /** Fill the budget with end-of-turn tokens first. */
  readonly keepEndOfTurn?: boolean;
  /** What the loss is divided by. Default `kept`. */
  readonly divideBy?: Divisor;
}

/** The defaults that the choosing rules share, so that arms of one table differ in their scores alone. */
export const chooserDefaults = { ratio: 0.6, rounding: "ceil", keepEndOfTurn: false, divideBy: "kept" } as const;
