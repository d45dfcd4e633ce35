import { test } from "@jest/globals";
import { dft } from "../../src/selection/dft.ts";
import { expectClose } from "./expect-close.ts";
import { context, tokensOf } from "./tokens.ts";

test("weighs each token by its probability", () => {
  // nll = -ln p: ln 2 is p = 1/2, ln 4 is p = 1/4, 0 is p = 1
  const row = tokensOf([[0, 1, 1, 1]], { nll: [1, Math.LN2, 2 * Math.LN2, 0] });
  expectClose(dft().weigh(row, context()), [0, 0.5, 0.25, 1]);
});
