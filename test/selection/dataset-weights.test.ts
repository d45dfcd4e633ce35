import { expect, test } from "@jest/globals";
import { datasetWeights } from "../../src/selection/dataset-weights.ts";
import { userError } from "../user-error.ts";
import { context, tokensOf } from "./tokens.ts";

test("takes the weights of a column, negative ones too, inside responses", () => {
  const row = tokensOf([[0, 1, 1, 1]], { "column:token_weights": [7, 0.5, -1, 0], "column:mine": [1, 2, 3, 4] });
  expect([...datasetWeights().weigh(row, context())]).toEqual([0, 0.5, -1, 0]);
  expect([...datasetWeights({ column: "mine" }).weigh(row, context())]).toEqual([0, 2, 3, 4]);
});

test("says which column it needs", () => {
  expect(datasetWeights({ column: "mine" }).needs).toEqual(["column:mine"]);
  expect(() => datasetWeights({ column: "" })).toThrow(userError("invalid-option", "dataset-weights: column"));
});
