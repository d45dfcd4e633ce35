import { joined, type PlantingKind } from "./kind.ts";
import { sentencesOf } from "./sentences.ts";

/** Repeated text: a sentence that is drawn stands there twice, and the second time is the error. */
export const repeated: PlantingKind = {
  name: "repeated",
  summary: "a sentence said twice",
  plant(response, { random, share }) {
    const parts = sentencesOf(response).flatMap(({ text, gap }) => {
      const once = [
        { text, wrong: false },
        { text: gap, wrong: false },
      ];
      if (random.next() >= share) return once;
      return [
        { text: text + (gap === "" ? " " : gap), wrong: false },
        { text: text.trimStart(), wrong: true },
        once[1]!,
      ];
    });
    return joined(parts);
  },
};
