// npx tsx scripts/page-times.ts PAGE.html…
//
// Opens each page in a fresh headless Chromium so many times (ROUNDS, default 9), at 1,600 x 1,000, and prints bytes and the
// medians in ms from the start of the navigation: its document is read, first paint, the explorer answers.
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { inChromium } from "../test/chromium.ts";

const rounds = Number(process.env["ROUNDS"] ?? 9);

interface Times {
  readonly read: number;
  readonly paint: number;
  /** Null on a page without an explorer. */
  readonly ready: number | null;
}

/** The explorer's controls are shown by its last statement, before the document counts as read. */
const times = `new Promise((done) => {
  const look = () => {
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    if (!paint) return setTimeout(look, 5);
    const { domContentLoadedEventStart: read, domInteractive } = performance.getEntriesByType("navigation")[0];
    const explorer = document.getElementById("explorer");
    done({ read, paint: paint.startTime, ready: explorer && !explorer.hidden ? domInteractive : null });
  };
  look();
})`;

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

for (const path of process.argv.slice(2)) {
  const found: Times[] = [];
  for (let round = 0; round < rounds; round++)
    await inChromium(async (page) => {
      await page.size(1600, 1000);
      await page.open(pathToFileURL(resolve(path)).href);
      found.push(await page.evaluate<Times>(times));
    });
  const of = (name: keyof Times): string => {
    const values = found.flatMap((each) => each[name] ?? []);
    if (values.length === 0) return "none";
    return `${median(values).toFixed(0)} (${Math.min(...values).toFixed(0)}..${Math.max(...values).toFixed(0)})`;
  };
  const parts = [`read ${of("read")}`, `first paint ${of("paint")}`, `explorer ready ${of("ready")}`];
  process.stdout.write(`${path}: ${statSync(path).size} bytes; ms: ${parts.join(", ")}\n`);
}
