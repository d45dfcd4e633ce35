// npx tsx scripts/report-pictures.ts RUN
//
// Draws docs/pictures/*.png, the pictures of docs/reading-a-report.md, from the page of a run of configs/sstoken/quickstart.yaml,
// in Chromium.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { inChromium } from "../test/chromium.ts";

const [run] = process.argv.slice(2);
if (run === undefined) {
  process.stderr.write("npx tsx scripts/report-pictures.ts RUN\n");
  process.exit(2);
}
const folder = join(import.meta.dirname, "../docs/pictures");
mkdirSync(folder, { recursive: true });
await inChromium(async (page) => {
  await page.size(1000, 800);
  await page.open(pathToFileURL(resolve(run, "report.html")).href);
  const draw = async (name: string, title: string, height: number): Promise<void> =>
    writeFileSync(join(folder, `${name}.png`), await page.picture(title, height));
  await draw("results", "Results", 520);
  await draw("answers", "Answers", 420);
  await page.evaluate(
    `(() => { const select = document.querySelector("#explorer select"); select.value = "small-loss"; select.dispatchEvent(new Event("change")); document.querySelector("figure[data-row] .tokens span[tabindex='0']").focus(); })()`,
  );
  await draw("explorer", "Tokens", 480);
});
