import { describe, expect, test } from "@jest/globals";
import { editDistance, nearest } from "../../src/config/nearest.ts";

describe("nearest word", () => {
  test("distance counts inserted, deleted, replaced and swapped letters", () => {
    expect(editDistance("kitten", "sitting")).toBe(3);
    expect(editDistance("trian", "train")).toBe(1);
    expect(editDistance("", "abc")).toBe(3);
  });

  test("is the one a person meant", () => {
    const keys = ["steps", "epochs", "batchSize", "learningRate"];
    expect(nearest("setps", keys)).toBe("steps");
    expect(nearest("batch_size", keys)).toBe("batchSize");
    expect(nearest("LEARNINGRATE", keys)).toBe("learningRate");
  });

  test("is none when nothing is near", () => {
    expect(nearest("momentum", ["steps", "seed"])).toBeUndefined();
    expect(nearest("x".repeat(1e6), ["steps"])).toBeUndefined();
  });
});
