import { describe, expect, test } from "@jest/globals";
import { type ArmRows, controlsAmong, findingOf } from "../../../src/recipes/kit/finding.ts";
import { countColumn, lossColumn, shareColumn, textColumn } from "../../../src/recipes/kit/results.ts";

const columns = [
  textColumn("name"),
  countColumn("steps"),
  lossColumn("loss", { compared: "loss" }),
  shareColumn("exactMatch", { compared: "share of right answers" }),
];
const arm = (name: string, loss: number[], exactMatch: number[] = [], rowIds = loss.map((_, i) => i)): ArmRows => ({
  ...{ name, rowIds },
  values: { loss, exactMatch },
});

describe("the finding of a run", () => {
  const main = arm("mine", [1, 2, 3, 4], [1, 0, 1, 0]);

  test("says of each compared column against which controls it is lower, higher or neither, with intervals", () => {
    // each row's loss is 0.5 below that of full, so whatever rows are drawn; against random it is 1 above or below
    const full = arm("full", [1.5, 2.5, 3.5, 4.5], [0, 0, 1, 0]);
    const random = arm("random", [2, 1, 4, 3], [0, 1, 0, 1]);
    const finding = findingOf(columns, { main, controls: [full, random] })!;
    expect(finding).toMatch(
      /^On 4 held-out rows mine has a lower loss than full \(−0\.5000 \[−0\.5000, −0\.5000\]\), no clearly different loss from random \(0\.0000 \[−1\.0000, \+1\.0000\]\); no clearly different share of right answers from full \(\+25\.0 points \[0\.0, \+75\.0\]\) and random \(0\.0 points \[−100\.0, \+100\.0\]\) \(95 % intervals/,
    );
    expect(finding).toContain("one seed");
    const turned = findingOf(columns, { main: full, controls: [main] });
    expect(turned).toContain("full has a higher loss than mine (+0.5000 [+0.5000, +0.5000])");
  });

  test("compares the rows that both have", () => {
    const other = arm("full", [9, 2.5, 3.5], [], [7, 1, 2]);
    expect(findingOf(columns, { main, controls: [other] })).toMatch(/^On 2 held-out rows .*full \(−0\.5000 /);
  });

  test("is none where nothing can be compared", () => {
    expect(findingOf(columns, { main, controls: [] })).toBeUndefined();
    expect(findingOf(columns, { main, controls: [arm("full", [1], [], [9])] })).toBeUndefined();
    expect(findingOf([textColumn("name")], { main, controls: [main] })).toBeUndefined();
  });

  test("is about the controls, or about all arms where none is one", () => {
    const names = ["full", "rho1"];
    expect(controlsAmong(names, (name) => name === "full")).toEqual(["full"]);
    expect(controlsAmong(names, () => false)).toEqual(names);
  });
});
