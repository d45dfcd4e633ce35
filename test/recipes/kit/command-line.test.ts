import { resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { calledAs, commandLine } from "../../../src/recipes/kit/called-as.ts";
import { parseRecipeArguments } from "../../../src/recipes/kit/command-line.ts";
import { userError } from "../../user-error.ts";

const example = "configs/sstoken/quickstart.yaml";
const recipe = { name: "sstoken", summary: "Fine-tunes on chosen tokens.", example };
const parse = (...argv: string[]) => parseRecipeArguments(argv, recipe, "npx tsx trainers/sstoken.ts");

describe("a recipe's command line", () => {
  test("gives configuration, settings and flags", () => {
    expect(parse("--config", "a.yaml", "--set", "a.b=1", "--set=c=-2", "--resume", "--dry-run")).toEqual({
      config: "a.yaml",
      set: ["a.b=1", "c=-2"],
      resume: true,
      allowChanges: false,
      overwrite: false,
      allowMemory: false,
      dryRun: true,
    });
  });

  test("may allow changed settings and a run beyond the memory", () => {
    const allowed = { allowChanges: true, allowMemory: true };
    expect(parse("-c", "a.yaml", "--resume", "--allow-changes", "--allow-memory")).toMatchObject(allowed);
  });

  test("gives the help when asked", () => {
    expect(parse("-h")).toEqual({ help: expect.stringMatching(/trainers\/sstoken\.ts --config FILE(.|\n)*--dry-run/) });
  });

  test.each([
    [["--confg", "a"], userError("unknown-option", /--confg\n {2}Did you mean --config\?/)],
    [["--config"], userError("invalid-option", /--config|-c\b/)],
    [["--config", "a", "--config", "b"], userError("repeated-option", "--config")],
    [["--config", "a", "--resume=yes"], userError("invalid-option", "--resume")],
    [["a.yaml"], userError("stray-argument", '"a.yaml"')],
    [
      [],
      userError(
        "missing-option",
        /--config .*\n.*npx tsx trainers\/sstoken\.ts --config configs\/sstoken\/quickstart\.yaml$/,
      ),
    ],
    [["--config", "a", "--resume", "--overwrite"], userError("conflicting-options", /--resume .*--overwrite/)],
    [["--config", "a", "--set", "-x"], userError("invalid-option", /--set .*"="/)],
  ])("%j is refused", (argv, refusal) => {
    expect(() => parse(...argv)).toThrow(refusal);
  });
});

test("outside of a checkout a configuration of the person's own is suggested", () => {
  const elsewhere = { ...recipe, example: "configs/none/quickstart.yaml" };
  const parsed = () => parseRecipeArguments([], elsewhere, "npx tokensift train sstoken");
  expect(parsed).toThrow(userError("missing-option", /npx tokensift train sstoken --config my-run\.yaml$/));
});

describe("a program is named as one types it", () => {
  test.each([
    ["dist/trainers/attention-gate.js", "npx tokensift train attention-gate"],
    ["trainers/sstoken.ts", "npx tsx trainers/sstoken.ts"],
    ["my runs/mine.mts", "npx tsx 'my runs/mine.mts'"],
    ["../mine.js", "node ../mine.js"],
    ["dist/trainers/copies/mine.js", "node dist/trainers/copies/mine.js"],
  ])("%s: %s", (file, command) => {
    expect(calledAs(resolve(file))).toBe(command);
  });

  test("with arguments that a shell gives back as they were", () => {
    const line = commandLine(["--config", "a.yaml", "--set", "compare=[{name: it's}]", "--set=a.b=-1e-4"]);
    expect(line).toMatch(/ --config a\.yaml --set 'compare=\[\{name: it'\\''s\}\]' --set=a\.b=-1e-4$/);
  });
});
