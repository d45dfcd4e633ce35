import type { Signal, Tokens } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";

/** The signal of token `i`. Throws a UserError that names signal, dataset row and token where it is not finite. */
export function finiteAt<S extends Signal>({ signals, rowIds, width }: Tokens<S>, signal: S, i: number): number {
  const value = signals[signal][i]!;
  if (Number.isFinite(value)) return value;
  throw new UserError("not-finite", `${signal} is ${value}; choosing tokens by it needs finite numbers.`, {
    where: `row ${rowIds[Math.floor(i / width)]}, token ${i % width}`,
    fix: "Check the model that computes it, and the learning rate.",
  });
}
