import { describe, expect, test } from "@jest/globals";
import { memoryLines, requireMemory, type MemoryPlan } from "../../../src/recipes/kit/memory.ts";

interface Config {
  rows: number;
}

/** 1 GB for each row computed at once, and 2 GB of weights. */
const plan: MemoryPlan<Config> = {
  bound: "about",
  estimate: ({ rows }) => ({
    weights: 2e9,
    files: 0,
    moments: 0,
    gradients: 0,
    activations: rows * 1e9,
    peak: 2e9 + rows * 1e9,
  }),
  savings: ({ rows }) => [
    { settings: `rows=${rows / 2}`, config: { rows: rows / 2 } },
    { settings: "rows=1", config: { rows: 1 } },
  ],
};
const cpu = { name: "cpu" } as const;
const refusal = (rows: number, room: number): string => {
  try {
    requireMemory({ rows }, plan, { engine: cpu, allow: false, room });
  } catch (error) {
    return (error as Error).message;
  }
  return "";
};

describe("a run that does not fit into memory", () => {
  // 8 rows need 2 + 8 GB, 4 need 6, 1 needs 3
  test("is refused with the estimate, the room and each change that is enough", () => {
    expect(refusal(8, 6e9)).toBe(
      "the run needs about 10.00 GB of memory (weights 2.00 GB, moments 0.00 GB, gradients 0.00 GB, activations 8.00 " +
        "GB), more than the 6.00 GB that this process can have\n  It would fit with --set rows=4 (about 6.00 GB), or " +
        "--set rows=1 (about 3.00 GB). --allow-memory starts it all the same.",
    );
    expect(refusal(8, 5e9)).toMatch(/It would fit with --set rows=1 \(about 3\.00 GB\)\. /);
  });

  test("that no setting makes fit is told what else to do", () => {
    expect(refusal(8, 2e9)).toMatch(/Take a smaller model, shorter rows .* --allow-memory/);
  });

  test("is let pass where the person says so, and on engines that hold their numbers elsewhere", () => {
    const options = { engine: cpu, allow: true, room: 1 };
    expect(() => requireMemory({ rows: 8 }, plan, options)).not.toThrow();
    expect(() =>
      requireMemory({ rows: 8 }, plan, { ...options, engine: { name: "webgpu" }, allow: false }),
    ).not.toThrow();
  });
});

test("a run that fits is let pass, up to the last byte", () => {
  expect([refusal(8, 10e9), refusal(8, 10e9 - 1) === ""]).toEqual(["", false]);
});

test("a dry run says what is needed, and whether that is too much", () => {
  expect(memoryLines({ rows: 1 }, plan)[0]).toBe(
    "Memory: about 3.00 GB on the cpu engine; weights 2.00 GB, moments 0.00 GB, gradients 0.00 GB, activations 1.00 GB",
  );
  expect(memoryLines({ rows: 1e9 }, plan)[1]).toMatch(/^That is more than the [\d.]+ GB that this process can have\.$/);
});
