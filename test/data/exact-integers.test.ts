import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { openDataset } from "../../src/data/open-dataset.ts";
import { parseExactJson } from "../../src/system/exact-json.ts";
import { userError } from "../user-error.ts";
import { temporaryFolder } from "./folder.ts";

const folder = temporaryFolder();
const BIG = "12345678901234567891"; // beyond 2^53, and 12345678901234567000 as a number

/** As `JSON.parse` gives it. */
function rounded(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, each: unknown) => (typeof each === "bigint" ? Number(each) : each)));
}

describe("parseExactJson", () => {
  test("gives integers beyond 2^53 as bigints, and all else as JSON.parse does", () => {
    const text = `{"a":${BIG},"b":[-${BIG}, 9007199254740991,9007199254740992],"c":"x: ${BIG}, \\" ${BIG} \\\\","d":1e300,"e":0.${BIG}}`;
    expect(parseExactJson(text)).toEqual({
      a: BigInt(BIG),
      b: [-BigInt(BIG), 9007199254740991, 9007199254740992n],
      c: `x: ${BIG}, " ${BIG} \\`,
      d: 1e300,
      e: Number(`0.${BIG}`),
    });
    expect(parseExactJson(BIG)).toBe(BigInt(BIG));
    expect(() => parseExactJson(`{"a":${BIG}`)).toThrow(SyntaxError);
  });

  test("gives any JSON as JSON.parse does, but for such integers", () => {
    fc.assert(
      fc.property(fc.json(), fc.boolean(), (json, isLong) => {
        // a text with long digits takes the longer way
        const text = isLong ? `[${JSON.stringify(`: ${BIG} ,"\\`)},${BIG},${json}]` : json;
        const value = parseExactJson(text);
        expect(rounded(isLong ? (value as unknown[])[2] : value)).toEqual(JSON.parse(json));
      }),
    );
  });
});

describe("an integer beyond 2^53", () => {
  const rowsOf = async (line: string) => {
    const dataset = await openDataset(folder.write("rows.jsonl", `${line}\n`));
    return dataset.row(0);
  };

  test.each([
    [`{"question":"q","answer":${BIG}}`],
    [`{"prompt":"p","reward_model":{"ground_truth":${BIG}}}`],
    [`{"prompt":"p","reward_model":"{\\"ground_truth\\":${BIG}}"}`],
    [`{"prompt":"p","response":"r","answer":${BIG}}`],
  ])("is an exact answer: %s", async (line) => {
    expect(await rowsOf(line)).toMatchObject({ answer: BIG });
  });

  test("in what a chat template is given leaves the row out by name", async () => {
    const said = '{"role":"user","content":"hi"},{"role":"assistant","content":"a"';
    for (const line of [
      `{"messages":[${said},"id":${BIG}}]}`,
      `{"messages":${JSON.stringify(`[${said},"tool_calls":[{"function":{"name":"f","arguments":{"id":${BIG}}}}]}]`)}}`,
      `{"messages":[${said}}],"tools":[{"id":${BIG}}]}`,
    ])
      expect(await rowsOf(line)).toMatchObject({ skipped: expect.stringContaining("2^53") });
  });

  test("in ids is refused", async () => {
    await expect(rowsOf(`{"input_ids":[1,${BIG}],"labels":[1,1]}`)).rejects.toThrow(
      userError("invalid-row", '"input_ids"'),
    );
  });
});
