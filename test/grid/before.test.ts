import { describe, expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { makeBefore } from "../../src/grid/before.ts";
import { perform } from "../../src/grid/perform.ts";
import { identityOf } from "../../src/system/process-identity.ts";
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

  test("leave nothing where they fail, and are run again", async () => {
    const output = folder.path("partial");
    const run = ["sh", "-c", "echo partial > $0; exit 3", "{before}/d.txt"];
    const failing = makeBefore({ before: [{ run, makes: "d.txt" }], output }, undisturbed);
    await expect(failing).rejects.toThrow(userError("command-failed", "ended with 3"));
    expect(readdirSync(`${output}/before`)).toEqual([]);
    writeFileSync(`${output}/before/d.txt`, "of a command that was killed\n");
    await makeBefore({ before: [appends("d.txt")], output }, undisturbed);
    expect(readFileSync(`${output}/before/d.txt`, "utf8")).toBe("once\n");
  });

  test("run again where the grid words them otherwise", async () => {
    const output = folder.path("changed");
    const says = (word: string) => ({ run: ["sh", "-c", `echo ${word} > $0`, "{before}/e.txt"], makes: "e.txt" });
    for (const word of ["first", "second"]) await makeBefore({ before: [says(word)], output }, undisturbed);
    expect(readFileSync(`${output}/before/e.txt`, "utf8")).toBe("second\n");
  });

  test("of a process that was killed are ended before they are run again", async () => {
    const output = folder.path("orphan");
    mkdirSync(`${output}/before`, { recursive: true });
    const late = ["-c", "sleep 1; echo late > $0", `${output}/before/f.txt`];
    const orphan = spawn("sh", late, { detached: true, stdio: "ignore" });
    writeFileSync(`${output}/before/.f.txt.running`, JSON.stringify(identityOf(orphan.pid!)));
    await makeBefore({ before: [appends("f.txt")], output }, undisturbed);
    await sleep(1000);
    expect(readFileSync(`${output}/before/f.txt`, "utf8")).toBe("once\n");
    expect(readdirSync(`${output}/before`)).toEqual([".f.txt.done", "f.txt"]);
  });

  test("are killed with their children where they go on after a request to stop", async () => {
    const here = folder.path("stubborn");
    // a shell that keeps SIGTERM from itself and its child, which would write after both
    const script = `trap '' TERM; echo > ${here}.begun; sh -c 'sleep 1; echo > ${here}.after'; sleep 9`;
    const asked = () => existsSync(`${here}.begun`);
    expect(await perform(["sh", "-c", script], { asked }, { grace: 50 })).toBe("SIGKILL");
    await sleep(1000);
    expect(existsSync(`${here}.after`)).toBe(false);
  });
});
