import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import {
  loadColumn,
  loadTokens,
  saveColumn,
  saveTokens,
  startTokens,
  sweepCache,
  tokenCachePath,
} from "../../src/data/cache.ts";
import { arraysOf } from "../../src/data/tokenized.ts";
import { isOwnerGone, ownMark } from "../../src/system/owner-mark.ts";
import { userError } from "../user-error.ts";
import { flatDataset } from "./flat-tokens.ts";
import { temporaryFolder } from "./folder.ts";
import { countingDataset } from "./tokens-fixture.ts";

const folder = temporaryFolder();
const tokens = countingDataset([3, 1, 5], [0, 2, 7]);
const silent = (sentence: string): void => {
  throw new Error(`unexpected notice: ${sentence}`);
};

describe("the token cache", () => {
  test("gives back what was saved", () => {
    saveTokens(folder.path("a"), tokens, silent);
    const loaded = loadTokens(folder.path("a"), tokens.fingerprint, silent);
    expect([arraysOf(loaded!), loaded!.stats]).toEqual([arraysOf(tokens), tokens.stats]);
    expect(loaded?.row(2)).toEqual(tokens.row(2));
  });

  test("gives the same rows in any order where they are read from the file", () => {
    saveTokens(folder.path("large"), tokens, silent);
    const onDisk = loadTokens(folder.path("large"), tokens.fingerprint, silent, 0)!;
    for (const index of [0, 1, 2, 1, 0, 2, 2]) expect(onDisk.row(index)).toEqual(tokens.row(index));
    expect([arraysOf(onDisk), onDisk.stats]).toEqual([arraysOf(tokens), tokens.stats]);
  });

  test("has nothing for another fingerprint", () => {
    saveTokens(folder.path("b"), tokens, silent);
    expect(loadTokens(folder.path("b"), "f".repeat(64), silent)).toBeUndefined();
  });

  test("is not trusted when a byte changed or the end is missing, and says so", () => {
    const path = tokenCachePath(folder.path("c"), tokens.fingerprint);
    saveTokens(folder.path("c"), tokens, silent);
    const whole = readFileSync(path);
    const id4 = whole.indexOf(Buffer.from(Int32Array.of(4, 5, 6, 7, 8).buffer));
    const changed = Buffer.from(whole);
    changed[id4] = 5;
    for (const bytes of [changed, whole.subarray(0, whole.length - 20), whole.subarray(0, 100), Buffer.alloc(0)]) {
      writeFileSync(path, bytes);
      const notices: string[] = [];
      expect(loadTokens(folder.path("c"), tokens.fingerprint, (sentence) => notices.push(sentence))).toBeUndefined();
      expect(notices).toEqual([expect.stringMatching(/cache file .*tokens-.* is not usable .*made anew/)]);
    }
  });

  test("of a large dataset is damaged where a row is read whose part was changed, and then goes", () => {
    const path = tokenCachePath(folder.path("part"), tokens.fingerprint);
    saveTokens(folder.path("part"), tokens, silent);
    const changed = readFileSync(path);
    changed[changed.indexOf(Buffer.from(Int32Array.of(4, 5, 6, 7, 8).buffer))] = 5;
    writeFileSync(path, changed);
    const loaded = loadTokens(folder.path("part"), tokens.fingerprint, silent, 0)!;
    expect(() => loaded.row(0)).toThrow(userError("damaged-file", path));
    expect(existsSync(path)).toBe(false);
  });

  test("that cannot be written is told, not an error", () => {
    const blocked = folder.write("not-a-folder", "");
    const notices: string[] = [];
    saveTokens(blocked, tokens, (sentence) => notices.push(sentence));
    expect(notices).toEqual([expect.stringMatching(/nothing was cached in .*not-a-folder/)]);
  });

  test("leaves only complete files", () => {
    saveTokens(folder.path("d"), tokens, silent);
    saveTokens(folder.path("d"), tokens, silent);
    expect(readdirSync(folder.path("d"))).toHaveLength(1);
  });
});

describe("what killed processes leave in the cache", () => {
  /** The mark of a process that ended by itself or by `kill -9`, written by it. */
  function markOfOther(ending: string): string {
    const source = join(process.env["TOKENSIFT_PROGRAMS"]!, "src/system/owner-mark.js");
    const program = `import { ownMark } from ${JSON.stringify(source)}; console.log(ownMark()); ${ending}`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program]);
    if (stdout.length === 0) throw new Error(String(stderr));
    return stdout.toString().trim();
  }

  test("goes with the next run, and what a living process writes stays", () => {
    const path = folder.path("left");
    const writing = startTokens(path, tokens.fingerprint, silent)!;
    const killed = [`tokens-${"a".repeat(32)}.bin`, `column-${"b".repeat(32)}.arrow`];
    for (const name of killed)
      writeFileSync(
        join(path, `${name}.${markOfOther('process.kill(process.pid, "SIGKILL"); for (;;);')}.tmp`),
        "half",
      );
    const kept = [
      `tokens-${"a".repeat(32)}.bin`,
      `other.${markOfOther("")}.tmp`,
      `tokens-${"a".repeat(32)}.bin.0123abcd.${process.pid}-0123abcd.tmp`, // on another machine
    ];
    for (const name of kept) writeFileSync(join(path, name), "");
    const own = readdirSync(path).filter((name) => name.includes(`.${process.pid}-`));
    sweepCache(path);
    expect(readdirSync(path)).toEqual([...new Set([...kept, ...own])].toSorted());
    writing.abandon();
    expect(() => sweepCache(folder.path("none"))).not.toThrow();
  });

  test("is told from what a process writes that was given the number of one that ended", () => {
    const mark = ownMark();
    expect(isOwnerGone(`x.${mark}.tmp`)).toBe(false);
    const other = mark.replace(/-(....)/, (_, birth: string) => `-${birth === "0000" ? "1111" : "0000"}`);
    expect(isOwnerGone(`x.${other}.tmp`)).toBe(process.platform === "linux");
    expect(isOwnerGone("x.17-0123abcd.tmp")).toBe(false); // without the machine's mark
  });
});

describe("a kept column", () => {
  const values = Float32Array.from({ length: 9 }, (_, t) => t * 0.25);

  test("comes back for the same tokens and key", () => {
    saveColumn(folder.path("e"), "history", tokens, values, silent);
    expect(loadColumn(folder.path("e"), "history", tokens, silent)).toEqual(values);
  });

  test("is absent under another key or for other tokens", () => {
    saveColumn(folder.path("f"), "history", tokens, values, silent);
    const other = flatDataset({ ...tokens, fingerprint: "e".repeat(64) });
    expect(loadColumn(folder.path("f"), "reference", tokens, silent)).toBeUndefined();
    expect(loadColumn(folder.path("f"), "history", other, silent)).toBeUndefined();
  });

  test("must have one value per token", () => {
    expect(() => saveColumn(folder.path("g"), "history", tokens, values.subarray(1))).toThrow(/8 values for 9 tokens/);
  });

  test("is not trusted when it does not fit the tokens", () => {
    saveColumn(folder.path("h"), "history", tokens, values, silent);
    const other = flatDataset({ ...countingDataset([3, 2, 4], [0, 2, 7]), fingerprint: tokens.fingerprint });
    const notices: string[] = [];
    expect(loadColumn(folder.path("h"), "history", other, (sentence) => notices.push(sentence))).toBeUndefined();
    expect(notices).toEqual([expect.stringMatching(/row 1 differs/)]);
  });
});
