import { describe, expect, test } from "@jest/globals";
import type { Signal, Tokens } from "../../src/contract/index.ts";
import { datasetWeights } from "../../src/selection/dataset-weights.ts";
import { dft } from "../../src/selection/dft.ts";
import { lossTop } from "../../src/selection/loss-top.ts";
import { rho1 } from "../../src/selection/rho1.ts";
import { userError } from "../user-error.ts";
import { context } from "./tokens.ts";

function tokens(response: number[], signals: Record<string, number[]>): Tokens<Signal> {
  return {
    rows: 1,
    width: response.length,
    rowIds: Float64Array.of(5),
    response: Uint8Array.from(response),
    endOfTurn: new Uint8Array(response.length),
    signals: Object.fromEntries(
      Object.entries(signals).map(([name, values]) => [name, Float32Array.from(values)]),
    ) as Record<Signal, Float32Array>,
  };
}

describe("rho1", () => {
  test("keeps what the reference finds easier than the model: nll - referenceNll", () => {
    // excess: 3-1 = 2, 1-3 = -2, 2-1.5 = 0.5, 4-4 = 0; the top half is tokens 0 and 2
    const row = tokens([1, 1, 1, 1], { nll: [3, 1, 2, 4], referenceNll: [1, 3, 1.5, 4] });
    expect([...rho1({ ratio: 0.5 }).weigh(row, context())]).toEqual([1, 0, 1, 0]);
  });

  test("ranks over the step unless told to rank within responses", () => {
    const step: Tokens<Signal> = {
      ...tokens([1, 1, 1, 1], { nll: [9, 8, 1, 2], referenceNll: [0, 0, 0, 0] }),
      rows: 2,
      width: 2,
      rowIds: Float64Array.of(0, 1),
    };
    expect([...rho1({ ratio: 0.5 }).weigh(step, context())]).toEqual([1, 1, 0, 0]);
    expect([...rho1({ ratio: 0.5, scope: "response" }).weigh(step, context())]).toEqual([1, 0, 0, 1]);
  });
});

test("loss-top keeps the hardest tokens", () => {
  const row = tokens([0, 1, 1, 1], { nll: [9, 1, 3, 2] });
  expect([...lossTop({ ratio: 0.5 }).weigh(row, context())]).toEqual([0, 0, 1, 1]);
});

test("dft weighs each token by its probability", () => {
  // nll = -ln p: ln 2 is p = 1/2, ln 4 is p = 1/4, 0 is p = 1
  const row = tokens([0, 1, 1, 1], { nll: [1, Math.LN2, 2 * Math.LN2, 0] });
  const weights = dft().weigh(row, context());
  [0, 0.5, 0.25, 1].forEach((weight, i) => expect(weights[i]).toBeCloseTo(weight, 6));
});

describe("dataset-weights", () => {
  test("takes the weights of a column, negative ones too, inside responses", () => {
    const row = tokens([0, 1, 1, 1], { "column:token_weights": [7, 0.5, -1, 0], "column:mine": [1, 2, 3, 4] });
    expect([...datasetWeights().weigh(row, context())]).toEqual([0, 0.5, -1, 0]);
    expect([...datasetWeights({ column: "mine" }).weigh(row, context())]).toEqual([0, 2, 3, 4]);
  });

  test("says which column it needs", () => {
    expect(datasetWeights({ column: "mine" }).needs).toEqual(["column:mine"]);
    expect(() => datasetWeights({ column: "" })).toThrow(userError("invalid-option", "dataset-weights: column"));
  });
});
