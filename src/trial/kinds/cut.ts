import type { PlantingKind } from "./kind.ts";

/** A cut ending: the response stops after between a quarter and three quarters of its words, and ends there. */
export const cut: PlantingKind = {
  name: "cut",
  summary: "a response that stops early; the token that ends it is the error",
  plant(response, { random, share }) {
    const words = [...response.matchAll(/\S+/g)];
    if (words.length < 4 || random.next() >= share) return undefined;
    const kept = Math.max(1, Math.floor(words.length * (0.25 + 0.5 * random.next())));
    const last = words[kept - 1]!;
    return { text: response.slice(0, last.index + last[0].length), places: [], endsEarly: true };
  },
};
