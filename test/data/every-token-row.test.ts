import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { fromRows, tokenizeDataset } from "../../src/data/index.ts";
import { chatMl } from "./random-chats.ts";
import { sameRows } from "./trained-text.ts";

const runs = { ...sameRows, numRuns: 150 };
const end = chatMl.endOfText![0]!;

interface Token {
  id: number;
  label: boolean;
  mask: number;
  assistant: number;
}

const token: fc.Arbitrary<Token> = fc.record({
  id: fc.oneof(fc.integer({ min: 3, max: 300 }), fc.constant(end), fc.constant(0)),
  label: fc.boolean(),
  mask: fc.constantFrom(0, 1, 1, 0.5, -2),
  assistant: fc.constantFrom(0, 1, 1),
});

const columns = fc
  .record({
    labels: fc.boolean(),
    mask: fc.constantFrom(undefined, "response_mask", "completion_mask", "loss_mask"),
    assistant: fc.constantFrom(undefined, "assistant_masks", "assistant_mask"),
    typed: fc.boolean(),
    told: fc.constantFrom("positions", "numbers", "both"),
    from: fc.constantFrom(0, 0, 3),
    left: fc.nat(3),
    right: fc.nat(3),
  })
  .filter(({ labels, mask, assistant }) => labels || mask !== undefined || assistant !== undefined);

type Columns = typeof columns extends fc.Arbitrary<infer T> ? T : never;

/** Texts in one row, between padding. */
function packed(texts: readonly (readonly Token[])[], { left, right, ...as }: Columns): Record<string, unknown> {
  const tokens = texts.flat();
  const padded = (values: readonly number[], filler: number): number[] => [
    ...Array.from({ length: left }, () => filler),
    ...values,
    ...Array.from({ length: right }, () => filler),
  ];
  const isPadded = left + right > 0;
  const isNumbered = texts.length > 1 && as.told !== "positions";
  const hasPositions = texts.length > 1 ? as.told !== "numbers" : as.from > 0;
  const numbers = texts.flatMap((text, i) => text.map(() => (isNumbered ? i + 1 : 1)));
  const row = {
    input_ids: padded(
      tokens.map(({ id }) => id),
      7,
    ),
    ...(as.labels && {
      labels: padded(
        tokens.map(({ id, label }) => (label ? id : -100)),
        -100,
      ),
    }),
    ...(as.mask && {
      [as.mask]: padded(
        tokens.map(({ mask }) => mask),
        1,
      ),
    }),
    ...(as.assistant && {
      [as.assistant]: padded(
        tokens.map(({ assistant }) => assistant),
        1,
      ),
    }),
    ...((isPadded || isNumbered) && { attention_mask: padded(numbers, 0) }),
    ...(hasPositions && {
      position_ids: padded(
        texts.flatMap((text) => text.map((_, t) => as.from + t)),
        1,
      ),
    }),
  };
  if (!as.typed) return row;
  const isWhole = (values: number[]): boolean => values.every(Number.isInteger);
  return Object.fromEntries(
    Object.entries(row).map(([name, values]) => [
      name,
      isWhole(values) ? BigInt64Array.from(values.map(BigInt)) : Float32Array.from(values),
    ]),
  );
}

describe("rows of tokens", () => {
  test("are the texts in them, each with the weights that all its marks multiply to, but for its first token", async () => {
    const texts = fc.array(fc.array(token, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(texts, columns, async (given, as) => {
        const weightsOf = (text: readonly Token[]): number[] =>
          text.map(({ label, mask, assistant }, t) =>
            t === 0 ? 0 : (as.labels ? Number(label) : 1) * (as.mask ? mask : 1) * (as.assistant ? assistant : 1),
          );
        const expected = given
          .map((text) => ({ ids: text.map(({ id }) => id), weights: weightsOf(text).map((weight) => weight + 0) }))
          .filter(({ weights }) => weights.some((weight) => weight !== 0));
        const always = { ids: [5, 6], weights: [0, 1] };
        const last = packed([always.ids.map((id, t) => ({ id, label: t > 0, mask: t, assistant: 1 }))], {
          ...{ ...as, left: 0, right: 0, from: 0 },
        });
        const tokens = await tokenizeDataset(fromRows([packed(given, as), last]), chatMl);
        const found = Array.from({ length: tokens.length }, (_, i) => {
          const { ids, response, dataWeights, endOfTurn } = tokens.row(i);
          const weights = Array.from(response, (mark, t) => mark * (dataWeights?.[t] ?? 1) + 0);
          const ends = ids.filter((id, t) => response[t] === 1 && id === end && response[t + 1] !== 1).length;
          expect(endOfTurn.reduce((sum, mark) => sum + mark, 0)).toBe(ends);
          return { ids: [...ids], weights };
        });
        expect(found).toEqual([...expected, always]);
      }),
      runs,
    );
  });
});
