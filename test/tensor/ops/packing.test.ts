import { beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { groupRows, padRows, unpadRows } from "../../../src/tensor/ops/packing.ts";
import { usePlainBackend } from "../backend.ts";

beforeAll(usePlainBackend);

describe("groupRows", () => {
  test("joins rows while their padded squares fit, and never splits a row", () => {
    // lengths 2, 3, 1, 9, 1; limit 27 = 3 rows of 3 x 3
    const groups = groupRows(Int32Array.of(0, 2, 5, 6, 15, 16), 1, 27);
    expect(groups).toEqual([
      { first: 0, tokens: 6, lengths: [2, 3, 1], width: 3 },
      { first: 6, tokens: 9, lengths: [9], width: 9 },
      { first: 15, tokens: 1, lengths: [1], width: 1 },
    ]);
  });

  test("leaves out groups without a token", () => {
    expect(groupRows(Int32Array.of(0, 0, 2), 1, 1)).toEqual([{ first: 0, tokens: 2, lengths: [2], width: 2 }]);
  });
});

describe("padRows", () => {
  test("fills with zeros, and unpadRows takes the tokens back", () => {
    const [group] = groupRows(Int32Array.of(0, 2, 3), 1, 100);
    tf.tidy(() => {
      const packed = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
      const padded = padRows(packed, group!);
      expect(padded.arraySync()).toEqual([
        [
          [1, 2],
          [3, 4],
        ],
        [
          [5, 6],
          [0, 0],
        ],
      ]);
      expect(unpadRows(padded, group!).arraySync()).toEqual(packed.arraySync());
    });
  });
});
