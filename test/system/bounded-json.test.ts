import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { JsonRefused, parseBoundedJson } from "../../src/system/bounded-json.ts";
import { parseExactJson } from "../../src/system/exact-json.ts";

describe("JSON within limits", () => {
  test("is what JSON.parse gives, for every value and every damaged text", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.nat(), fc.nat(127), (text, at, code) => {
        expect(parseBoundedJson(text, { uniqueKeys: true })).toEqual(JSON.parse(text));
        const damaged =
          text.slice(0, at % text.length) + String.fromCharCode(code) + text.slice((at % text.length) + 1);
        expect(outcome(() => parseBoundedJson(damaged))).toEqual(outcome(() => JSON.parse(damaged)));
      }),
    );
  });

  test("is refused before anything is made of it", () => {
    const brackets = "[".repeat(2_000_000);
    expect(() => parseBoundedJson(brackets)).toThrow(JsonRefused);
    expect(() => parseBoundedJson(`[${"[],".repeat(50)}[]]`, { mostParts: 50 })).toThrow(JsonRefused);
    expect(() => parseBoundedJson(`[${"{},".repeat(50)}{}]`, { mostParts: 52 })).not.toThrow();
    expect(() => parseBoundedJson('{"a": "[[[[", "b": [[]]}', { deepest: 3 })).not.toThrow();
    expect(() => parseBoundedJson('{"a": "\\\\", "b": [[[]]]}', { deepest: 3 })).toThrow("nested more than 3 deep");
  });

  test.each(['{"a": 1, "a": 2}', '{"a": 1, "\\u0061" : 2}', '[{"b": {"a": [{}], "c": 1, "a": 2}}]', '{"": 1, "": 1}'])(
    "names a key that is given twice: %s",
    (text) => {
      expect(() => parseBoundedJson(text, { uniqueKeys: true })).toThrow("given twice");
      expect(parseBoundedJson(text)).toEqual(JSON.parse(text));
    },
  );

  test("may have the same key in several objects", () => {
    const text = '{"a": {"a": {"a": 1}, "b": "a"}, "b": [{"a": 1}, {"a": 2}], "c": "\\"a\\": 1"}';
    expect(parseBoundedJson(text, { uniqueKeys: true })).toEqual(JSON.parse(text));
  });

  test("has no integer of more digits than anybody counts", () => {
    expect(parseExactJson("[12345678901234567890]")).toEqual([12345678901234567890n]);
    expect(() => parseExactJson(`[${"1".repeat(1_000_000)}]`)).toThrow(JsonRefused);
  });
});

function outcome(run: () => unknown): unknown {
  try {
    return [run()];
  } catch {
    return "refused";
  }
}
