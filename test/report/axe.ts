import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { BrowserPage } from "../chromium.ts";

/**
 * What axe finds that is serious, when it has looked at the first tokens of two rows: they are all made alike, and it looks at
 * each for long.
 * @param rules those that are asked; default all
 */
export async function serious(page: BrowserPage, rules?: readonly string[]): Promise<string[]> {
  await page.evaluate(
    "document.querySelectorAll('.tokens > span:nth-of-type(n + 60), .row ~ .row ~ .row > .tokens > span').forEach((token) => token.remove())",
  );
  if (!(await page.evaluate<boolean>("'axe' in window")))
    await page.evaluate(readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
  const options = rules === undefined ? {} : { runOnly: rules };
  const found = await page.evaluate<{ id: string; impact: string; html: string }[]>(
    `axe.run(document, ${JSON.stringify(options)}).then(({ violations }) => violations.map(({ id, impact, nodes }) => ({ id, impact, html: nodes[0].html })))`,
  );
  return found.flatMap(({ id, impact, html }) => (["serious", "critical"].includes(impact) ? [`${id}: ${html}`] : []));
}
