import { expect, test } from "@jest/globals";
import { isAdapted } from "../../src/model/adapters/with-adapter.ts";
import { hiddenShift } from "../../src/model/hidden-shift.ts";
import { openAdapted, readOreal } from "../reward/oreal-fixture.ts";
import { tensorCount } from "../training/reference.ts";
import { batchOf, readReference } from "./reference.ts";

const expected = readOreal<number[][]>("shift.json");

test("how far an adapter moves the states that predict response tokens is PyTorch's, row by row or padded", async () => {
  const model = await openAdapted("tied");
  if (!isAdapted(model)) throw new Error("no adapter");
  const { ids, lengths } = readReference("tied");
  const rows = lengths.map((length, row) => ids[row]!.slice(0, length));
  const response = rows.map((row, b) => row.map((_, t) => Number(t > b))); // each begins one token later
  const batch = batchOf(rows, response);
  const before = tensorCount();
  const shift = await hiddenShift(model, model.trunk, batch);
  expect(tensorCount()).toBe(before);
  rows.forEach((row, b) =>
    row.forEach((_, t) => {
      const actual = shift[b * batch.width + t]!;
      if (t <= b) expect(actual).toBe(0);
      else expect(Math.abs(actual / expected[b]![t - 1]! - 1)).toBeLessThan(1e-5);
    }),
  );
  expect(new Set(await hiddenShift(model.trunk, model.trunk, batch))).toEqual(new Set([0]));
});
