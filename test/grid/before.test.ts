import { describe, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { makeBefore } from "../../src/grid/before.ts";
import { temporaryFolder } from "../data/folder.ts";
import { userError } from "../user-error.ts";

const folder = temporaryFolder();
const undisturbed = { asked: () => false, check: () => Promise.resolve() };

/** A command that appends a line to a file in the folder of such files. */
const appends = (name: string): { run: string[]; makes: string } => ({
  run: [process.execPath, "-e", "require('fs').appendFileSync(process.argv[1], 'once\\n')", `{before}/${name}`],
  makes: name,
});

describe("commands before the first cell", () => {
  test("run once, though two cells start at once", async () => {
    const output = folder.path("two");
    const before = [appends("a.txt"), appends("b.txt")];
    await Promise.all([1, 2].map(() => makeBefore({ before, output }, undisturbed)));
    await makeBefore({ before, output }, undisturbed);
    expect(["a.txt", "b.txt"].map((name) => readFileSync(`${output}/before/${name}`, "utf8"))).toEqual([
      "once\n",
      "once\n",
    ]);
  });

  test.each([
    [{ run: [process.execPath, "-e", "process.exit(3)"], makes: "c.txt" }, "command-failed", "ended with 3"],
    [{ run: [process.execPath, "-e", ""], makes: "c.txt" }, "command-failed", "without having made c.txt"],
    [{ run: ["no-such-program-here"], makes: "c.txt" }, "missing-file", "no-such-program-here"],
  ] as const)("that fail are named: %j", async ({ run, makes }, code, place) => {
    const before = [{ run: [...run], makes }];
    await expect(makeBefore({ before, output: folder.path("fails") }, undisturbed)).rejects.toThrow(
      userError(code, place),
    );
  });
});
