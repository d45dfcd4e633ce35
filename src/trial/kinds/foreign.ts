import { joined, type PlantingKind } from "./kind.ts";
import { sentencesOf } from "./sentences.ts";

/** Foreign text: a sentence that is drawn gives way to one of another row's response. */
export const foreign: PlantingKind = {
  name: "foreign",
  summary: "a sentence of another row's response in place of one",
  plant(response, { random, share, foreign: other }) {
    const parts = sentencesOf(response).flatMap(({ text, gap }) => {
      const found = random.next() < share ? other() : undefined;
      const isReplaced = found !== undefined && found.trim() !== text.trim();
      return [
        { text: isReplaced ? found : text, wrong: isReplaced },
        { text: gap, wrong: false },
      ];
    });
    return joined(parts);
  },
};
