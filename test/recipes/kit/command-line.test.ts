import { describe, expect, test } from "@jest/globals";
import { parseRecipeArguments } from "../../../src/recipes/kit/command-line.ts";

const recipe = { name: "sstoken", summary: "Fine-tunes on chosen tokens.", example: "configs/a.yaml" };
const parse = (...argv: string[]) => parseRecipeArguments(argv, recipe);

describe("a recipe's command line", () => {
  test("gives configuration, settings and flags", () => {
    expect(parse("--config", "a.yaml", "--set", "a.b=1", "--set=c=-2", "--resume", "--dry-run")).toEqual({
      config: "a.yaml",
      set: ["a.b=1", "c=-2"],
      resume: true,
      allowChanges: false,
      overwrite: false,
      dryRun: true,
    });
  });

  test("gives the help when asked", () => {
    expect(parse("-h")).toEqual({ help: expect.stringMatching(/trainers\/sstoken\.ts --config FILE(.|\n)*--dry-run/) });
  });

  test.each([
    [["--confg", "a"], /no flag --confg\n {2}Did you mean --config\?/],
    [["--config"], /--config(, -c)? needs a value|needs a value/],
    [["--config", "a", "--config", "b"], /--config is given twice/],
    [["--config", "a", "--resume=yes"], /--resume takes no value/],
    [["a.yaml"], /"a\.yaml" stands alone/],
    [[], /--config is missing\n.*trainers\/sstoken\.ts --config configs\/a\.yaml$/],
    [["--config", "a", "--resume", "--overwrite"], /exclude each other/],
    [["--config", "a", "--set", "-x"], /--set needs a value.*with "="/],
  ])("%j is refused", (argv, message) => {
    expect(() => parse(...argv)).toThrow(message);
  });
});
