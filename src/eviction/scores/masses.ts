import type { Mass } from "../key-score.ts";

/** The attention of the last queries; a shorter row takes all of its own. */
export function lastQueries(window: number, of: "mean" | "sum"): Mass {
  return {
    weight(query, length) {
      const used = Math.min(window, length);
      if (query < length - used) return 0;
      return of === "mean" ? 1 / used : 1;
    },
  };
}

/** The attention of every query. */
export const allQueries: Mass = { weight: () => 1 };
