import type { RandomStream } from "../../system/random.ts";
import { joined, type PlantingKind } from "./kind.ts";

/**
 * Wrong numbers: of the numbers in a response some are drawn, and each of them becomes, wherever it stands, another one
 * of as many digits that agrees with it in none.
 */
export const numbers: PlantingKind = {
  name: "numbers",
  summary: "digits of a number replaced by as many others, wherever the response repeats it",
  plant(response, { random, share }) {
    const wrong = new Map<string, string>();
    for (const number of new Set(response.match(/\d+/g)))
      if (random.next() < share) wrong.set(number, otherDigits(number, random));
    const parts = response.split(/(\d+)/).map((text) => ({ text: wrong.get(text) ?? text, wrong: wrong.has(text) }));
    return joined(parts);
  },
};

function otherDigits(number: string, random: RandomStream): string {
  return Array.from(number, (digit, place) => {
    const lowest = place === 0 ? 1 : 0; // no number begins with 0
    const others = Array.from({ length: 10 - lowest }, (_, i) => String(i + lowest)).filter((other) => other !== digit);
    return others[random.below(others.length)]!;
  }).join("");
}
