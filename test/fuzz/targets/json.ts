import { parseExactJson } from "../../../src/system/exact-json.ts";
import { changedJson, type Json } from "../json-trees.ts";
import { target, type Target } from "../target.ts";

const sample: Json = {
  a: [1, -2.5e3, 'xa"\\', { b: null }],
  c: 9007199254740991,
  d: [[], {}, [[[{ e: "\u2028é🍣" }]]]],
  "": [true, false, 0, -0.1e-7],
};

const outcome = (run: () => unknown): unknown => {
  try {
    return [run()];
  } catch {
    return undefined;
  }
};

/** What is JSON, and what it is, as `JSON.parse` has it. */
export const json = (): Target =>
  target((draws) => {
    const text = changedJson(sample, draws).replaceAll("9007199254740991", "12345678901234567890");
    const right = outcome(() => JSON.parse(text)) as [unknown] | undefined;
    const found = outcome(() => parseExactJson(text)) as [unknown] | undefined;
    if (right !== undefined && found === undefined && !isBeyond(right[0])) throw new Error(`refused: ${text}`);
    if (right === undefined && found !== undefined) throw new Error(`accepted: ${text}`);
    if (right !== undefined && found !== undefined && rounded(found[0]) !== JSON.stringify(right[0]))
      throw new Error(`read otherwise: ${text}`);
  });

/** The limits of what is read, which generated values may exceed. */
function isBeyond(value: unknown, depth = 0): boolean {
  if (depth > 256) return true;
  return typeof value === "object" && value !== null && Object.values(value).some((each) => isBeyond(each, depth + 1));
}

const rounded = (value: unknown): string =>
  JSON.stringify(value, (_key, each: unknown) => (typeof each === "bigint" ? Number(each) : each));
