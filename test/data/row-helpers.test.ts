import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { fromRows } from "../../src/data/index.ts";
import { startHelpers } from "../../src/data/row-helpers.ts";
import { tokenizeTogether, type TokenizeOptions } from "../../src/data/tokens.ts";
import type { Helping } from "../../src/data/tokens-ahead.ts";
import type { UserError } from "../../src/system/errors.ts";
import { stream } from "../../src/system/random.ts";
import { loadTokenizer } from "../../src/text/index.ts";
import { userError } from "../user-error.ts";
import { temporaryFolder } from "./folder.ts";

const folder = temporaryFolder();
const tokenizer = loadTokenizer(join(import.meta.dirname, "../../models/tiny"));
const program = pathToFileURL(join(process.env["TOKENSIFT_PROGRAMS"]!, "src/data/row-thread.js")).href;
const together = { worked: 0, left: 0, waits: true, program };
const alone = { worked: Infinity, left: 0 };

/** Conversations with all that a row can end as: long ones, one without an answer, unknown words, weights. */
function mixedRows(count: number): Record<string, unknown>[] {
  const random = stream("helpers");
  return Array.from({ length: count }, (_, i) => {
    const words = (most: number): string =>
      Array.from({ length: 1 + random.below(most) }, () => ["Sami", "has", "6", "bags", "zebra"][random.below(5)]).join(
        " ",
      );
    const answer = { role: "assistant", content: i % 97 === 5 ? "" : words(30) };
    return {
      messages: [
        { role: "user", content: words(40), ...(i % 50 === 7 && { name: "Ben" }) },
        { ...answer, ...(i % 31 === 3 && { weight: 0.5 }) },
      ],
    };
  });
}

const rows = mixedRows(1500);
const options: TokenizeOptions = { maxTokens: 48, threads: 2 };
const run = (given: Record<string, unknown>[], own: TokenizeOptions, when: Helping) =>
  tokenizeTogether(fromRows(given, { invalid: "skip" }), tokenizer, { ...options, ...own }, when);

describe("threads that help", () => {
  test("make the same file to the byte as one does, and tell of the same rows", async () => {
    const told = await Promise.all(
      [together, alone].map(async (when, i) => {
        const cacheFolder = folder.path(`cache ${i}`);
        const said: unknown[] = [];
        const onLeftOut = (...left: [number, string | UserError]): void => void said.push(left);
        await run(rows, { cacheFolder, onLeftOut, onNotice: (notice) => said.push(notice) }, when);
        const [file] = readdirSync(cacheFolder);
        return { said, file, bytes: readFileSync(join(cacheFolder, file!)) };
      }),
    );
    expect(told[0]!.said.length).toBeGreaterThan(10);
    expect(told[0]!.bytes.length).toBeGreaterThan(200_000);
    expect(told[0]!.bytes.equals(told[1]!.bytes)).toBe(true);
    expect(told[0]).toEqual(told[1]);
  });

  test("end at the first bad row as one does, though a later one is met before", async () => {
    const bad = {
      messages: [
        { role: "wizard", content: "x" },
        { role: "assistant", content: "y" },
      ],
    };
    const given = rows.with(1210, bad).with(1211, bad).with(1400, bad);
    for (const when of [together, alone])
      await expect(run(given, {}, when)).rejects.toThrow(userError("invalid-chat-template", "row 1210"));
  });

  test("do the work", async () => {
    const helpers = startHelpers(tokenizer, { maxTokens: 3 }, { count: 1, program })!;
    try {
      await helpers.started;
      const results = await helpers.tokenize([{ prompt: "Sami has", response: "6 bags" }, { response: "6" }]);
      expect(results).toMatchObject([{ ids: { length: 3 }, truncated: true }, undefined]);
      // what a thread cannot be sent, and a thread that ends, leave the work to who asked
      expect(await helpers.tokenize([{ prompt: "Sami", response: "6", tools: [() => 1] }])).toBeUndefined();
      const much = { prompt: "Sami has", response: "6 bags ".repeat(3_000_000) };
      const left = helpers.tokenize([much, much, much]);
      helpers.close();
      expect(await left).toBeUndefined();
      expect(helpers.isFree()).toBe(false);
    } finally {
      helpers.close();
    }
  });

  test("are not asked of a tokenizer with functions of its own", () => {
    expect(startHelpers({ ...tokenizer, encode: () => [] }, {}, { count: 1 })).toBeUndefined();
    expect(startHelpers({ ...tokenizer, decode: () => "" }, {}, { count: 1 })).toBeUndefined();
  });
});
