import { joined, type PlantingKind } from "./kind.ts";
import { sentencesOf } from "./sentences.ts";

/** Sentences in the wrong order: of two neighbours that are drawn each stands in the other's place. */
export const swapped: PlantingKind = {
  name: "swapped",
  summary: "neighbouring sentences in each other's place",
  plant(response, { random, share }) {
    const sentences = sentencesOf(response);
    const parts: { text: string; wrong: boolean }[] = [];
    for (let i = 0; i < sentences.length; i++) {
      const [first, second] = [sentences[i]!, sentences[i + 1]];
      const isSwapped = second !== undefined && second.text !== first.text && random.next() < share;
      parts.push({ text: (isSwapped ? second : first).text, wrong: isSwapped }, { text: first.gap, wrong: false });
      if (!isSwapped) continue;
      parts.push({ text: first.text, wrong: true }, { text: second.gap, wrong: false });
      i++;
    }
    return joined(parts);
  },
};
