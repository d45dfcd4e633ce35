import { describe, expect, test } from "@jest/globals";
import { parseGridArguments } from "../../src/grid/command-line.ts";
import { userError } from "../user-error.ts";

const parse = (argv: readonly string[], environment: Record<string, string> = {}) => {
  const found = parseGridArguments(argv, "npx tokensift reproduce", environment);
  if ("help" in found) throw new Error("help was not asked for");
  return found;
};

describe("the command line of a grid", () => {
  test("names the cell, or leaves that to the variable of an array", () => {
    expect(parse(["g.yaml", "--cell", "3"]).cell).toBe(3);
    expect(parse(["g.yaml"]).cell).toBeUndefined();
    expect(parse(["g.yaml"], { SLURM_ARRAY_TASK_ID: "7" }).cell).toBe(7);
    expect(parse(["g.yaml"], { JOB_COMPLETION_INDEX: "0" }).cell).toBe(0);
    expect(parse(["g.yaml", "--cells", "4,9"], { JOB_COMPLETION_INDEX: "1" }).cell).toBe(9);
    expect(parse(["g.yaml", "--cell", "2"], { SLURM_ARRAY_TASK_ID: "7" }).cell).toBe(2);
    // within an array's task one may still look
    expect(parse(["g.yaml", "--list"], { SLURM_ARRAY_TASK_ID: "7" }).cell).toBeUndefined();
  });

  test("gives sbatch what follows --", () => {
    const { where, rest, jobs } = parse([
      "g.yaml",
      "--where",
      "slurm",
      "--jobs",
      "8",
      "--",
      "--time=2:00:00",
      "--gres=gpu:1",
    ]);
    expect({ where, rest, jobs }).toEqual({ where: "slurm", rest: ["--time=2:00:00", "--gres=gpu:1"], jobs: 8 });
  });

  test.each([
    [[], "missing-option", "configs/sstoken/ablation.yaml"],
    [["g.yaml", "more.yaml"], "stray-argument", "more.yaml"],
    [["g.yaml", "--wher", "slurm"], "unknown-option", "--where"],
    [["g.yaml", "--where", "slrum"], "invalid-option", "did you mean slurm?"],
    [["g.yaml", "--list", "--collect"], "conflicting-options", "--list and --collect"],
    [["g.yaml", "--jobs", "0"], "invalid-option", "--jobs"],
    [["g.yaml", "--jobs", "3000000"], "invalid-option", "from 1 to 1000000"],
    [["g.yaml", "--cell", "0", "--axis", "lr"], "conflicting-options", "--cell and --axis"],
    [["g.yaml", "--cell", "-1"], "invalid-option", "--cell"],
    [["g.yaml", "--", "--time=1"], "unused-option", "sbatch"],
  ] as const)("%j is refused", (argv, code, place) => {
    expect(() => parse(argv)).toThrow(userError(code, place));
  });

  test("refuses a pod that its list does not have", () => {
    expect(() => parse(["g.yaml", "--cells", "4"], { JOB_COMPLETION_INDEX: "1" })).toThrow(
      userError("out-of-range", "1"),
    );
  });
});
