import type { TokenLayout } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";

/** Throws a UserError unless every log-probability, `[rows * width]`, is finite; it names row and token. */
export function requireFinite(logProb: Float32Array, { width, rowIds }: Pick<TokenLayout, "width" | "rowIds">): void {
  const bad = logProb.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new UserError("not-finite", `The loss is ${-logProb[bad]!}.`, {
    where: `row ${rowIds[Math.floor(bad / width)]}, token ${bad % width}`,
    fix: "The weights have left the range of numbers: lower training.learningRate, or start from other weights.",
  });
}
