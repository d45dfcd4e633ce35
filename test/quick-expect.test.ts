import { expect, test } from "@jest/globals";

/** Whether an expectation is met, by what the tests import as `expect`. */
function holds(expectation: () => void): boolean {
  try {
    expectation();
    return true;
  } catch (error) {
    if (!String(error).includes("Expected")) throw error;
    return false;
  }
}

const lists: readonly unknown[][] = [
  [],
  [1],
  [1, "a"],
  [NaN],
  [0],
  [-0],
  [[1]],
  [undefined],
  new Array(1), // a hole
  [..."12345678"],
  [..."123456789"],
  Object.assign([1], { name: 2 }),
  [...(/1/.exec("1") ?? [])],
  /1/.exec("1") ?? [],
];
const values: readonly unknown[] = [0, -0, NaN, "1", undefined, new Float32Array(1), {}, ...lists];

test.each(["toBe", "toEqual"] as const)(
  "a quick %s holds where its opposite, which Jest looks at, does not",
  (name) => {
    const met = new Set<boolean>();
    for (const a of values)
      for (const b of values) {
        const is = holds(() => expect(a)[name](b));
        expect([a, b, holds(() => expect(a).not[name](b))]).toStrictEqual([a, b, !is]);
        met.add(is);
      }
    expect([...met].sort()).toStrictEqual([false, true]);
  },
);

test("what differs is said as Jest says it", () => {
  expect(() => expect([1, 2]).toEqual([1, 3])).toThrow(/toEqual.*[^]*-\s+3,[^]*\+\s+2,/);
  expect(() => expect(1).toBe(2)).toThrow(/Expected: .*2.*\n.*Received: .*1/);
});

test("promises and objects that match go to Jest", async () => {
  await expect(Promise.resolve(1)).resolves.toBe(1);
  await expect(expect(Promise.resolve(1)).resolves.toBe(2)).rejects.toThrow(/Expected/);
  expect({ a: "text" }).toEqual({ a: expect.stringContaining("ex") });
  expect(() => expect(["text"]).toEqual([expect.stringContaining("no")])).toThrow(/StringContaining/);
});
