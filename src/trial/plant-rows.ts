import type { Row } from "../data/dataset.ts";
import { stream, type RandomStream } from "../system/random.ts";
import type { PlantingKind } from "./kinds/kind.ts";
import { sentencesOf } from "./kinds/sentences.ts";
import { answerOf, withAnswer, type MarkedRow } from "./marked-rows.ts";

export interface PlantOptions {
  readonly kinds: readonly PlantingKind[];
  /** How likely each place that could be made wrong is, in (0, 1]. */
  readonly share: number;
  readonly seed: number;
}

/**
 * Copies of rows with errors planted into their last answers: one kind to a row, the kinds in equal parts. What is
 * planted depends on the seed, the rows' numbers and their texts alone. Rows with weights for single tokens stay as they
 * are, as the lists would no longer fit.
 */
export function plantRows(rows: readonly Row[], { kinds, share, seed }: PlantOptions): MarkedRow[] {
  const texts = rows.map(answerOf);
  return rows.map((row, i) => {
    const unchanged = { row, places: [], endsEarly: false };
    const text = texts[i];
    if (text === undefined || row.weights !== undefined) return unchanged;
    const random = stream(seed, "trial planting", row.rowId);
    const kind = kinds[random.below(kinds.length)]!;
    const planted = kind.plant(text, { random, share, foreign: () => sentenceOfAnother(texts, i, random) });
    if (planted === undefined) return unchanged;
    const { places, endsEarly = false } = planted;
    return { row: withAnswer(row, planted.text), places, endsEarly };
  });
}

const attempts = 10;

/** A random sentence of another row's answer. */
function sentenceOfAnother(
  texts: readonly (string | undefined)[],
  own: number,
  random: RandomStream,
): string | undefined {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const other = random.below(texts.length);
    if (other === own || texts[other] === undefined) continue;
    const sentences = sentencesOf(texts[other]);
    if (sentences.length > 0) return sentences[random.below(sentences.length)]!.text.trim();
  }
  return undefined;
}
