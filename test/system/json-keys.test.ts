import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { configText } from "../../src/model/config-file.ts";
import { jsonKeys, withJsonValue } from "../../src/system/json-keys.ts";

/** Keys of a value with their depths, in their order. */
function keysIn(value: unknown, depth = 0): [string, number][] {
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item) => keysIn(item, depth + 1));
  return Object.entries(value).flatMap(([key, item]) => [
    [key, depth + 1] as [string, number],
    ...keysIn(item, depth + 1),
  ]);
}

describe("keys of a JSON text", () => {
  test("are those of JSON.parse", () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(0, 2), (text, indent) => {
        const value: unknown = JSON.parse(text);
        const found = [...jsonKeys(JSON.stringify(value, null, indent))].map(({ key, depth }) => [key, depth]);
        expect(found).toEqual(keysIn(value));
      }),
    );
  });

  test("are told from texts, and real numbers from whole ones", () => {
    const text = '{"a": ["x", ": 1.5", "\\": 2.5"], "r" : -3.0, "e":1e5, "w": 30, "\\u0074": true, "o": {"n": 0.5}}';
    const real = [...jsonKeys(text)].flatMap(({ key, isReal }) => (isReal ? [key] : []));
    expect(real).toEqual(["r", "e", "n"]);
  });

  test("are found behind large texts, many quotes and deep lists", () => {
    for (const value of ["x".repeat(20_000_000), '"'.repeat(60_000), '\\"'.repeat(60_000)]) {
      const text = JSON.stringify({ value, real: 1 });
      expect([...jsonKeys(text)].map(({ key }) => key)).toEqual(["value", "real"]);
      expect(configText({ value, real: 1 }, ["real"])).toBe(
        `${JSON.stringify({ value, real: 1 }, null, 2).slice(0, -2)}.0\n}\n`,
      );
    }
    const deep = `{"a": ${"[".repeat(100_000)}${"]".repeat(100_000)}, "a": 1}`;
    expect([...jsonKeys(deep)].map(({ key }) => key)).toEqual(["a", "a"]);
  });
});

describe("another value under a key", () => {
  test("is the only change, whatever the value was", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.jsonValue(),
        fc.constantFrom(0, 2),
        (rest, old, indent) => {
          const text = JSON.stringify({ a: 1, key: old, ...rest }, null, indent);
          const expected = { ...(JSON.parse(text) as object), key: "new" };
          expect(JSON.parse(withJsonValue(text, "key", "new"))).toEqual(expected);
        },
      ),
    );
    const text = '{"long": 1000000000000000019884624838656 , "key" : ["]", {"key": 1.0}]\n}';
    expect(withJsonValue(text, "key", "{{ a }}")).toBe(
      '{"long": 1000000000000000019884624838656 , "key" : "{{ a }}"\n}',
    );
  });

  test("of two keys of the same name is that of the last, which counts", () => {
    expect(withJsonValue('{"key":1,"key":2}', "key", 3)).toBe('{"key":1,"key":3}');
  });

  test("changes nothing where the key is not, or lies deeper", () => {
    expect(withJsonValue('{"o":{"key":1}}', "key", 2)).toBe('{"o":{"key":1}}');
  });
});
