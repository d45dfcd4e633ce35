import type { Recipe, RunConfig } from "./recipe.ts";
import type { ReportOptions } from "../../report/page.ts";

/** Of the time so far, pages may have taken so much. */
const mostOfTime = 0.05;
/** Seconds that the first page is thought to take. */
const firstPage = 0.2;

/**
 * Makes what rewrites a run's page while the run goes on: at every evaluation, or less often where that would take more
 * than a twentieth of the time. It never ends a run: a page that cannot be written now is written at the end, or its error
 * is told there.
 * @param seconds what the clock says
 */
export function livePage<Config extends RunConfig>(
  report: Recipe<Config, unknown>["report"],
  folder: string,
  options: ReportOptions,
  seconds: () => number = () => performance.now() / 1000,
): () => Promise<void> {
  const began = seconds();
  let [spent, last] = [0, firstPage];
  return async () => {
    const start = seconds();
    if (spent + last > mostOfTime * (start - began)) return;
    try {
      const write = await report();
      write(folder, options);
    } catch {
      // told at the end
    }
    last = seconds() - start;
    spent += last;
  };
}
