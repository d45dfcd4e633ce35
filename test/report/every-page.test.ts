import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { compareRuns } from "../../src/grid/side-by-side/compare-runs.ts";
import { exploredRun } from "../../src/grid/side-by-side/explored-run.ts";
import { comparisonPage } from "../../src/grid/side-by-side/page.ts";
import { watchRun, type Watching } from "../../src/report/watch/watch-run.ts";
import { type BrowserPage, chromium, inChromium } from "../chromium.ts";
import { recipeCases } from "../recipes/every-recipe.ts";
import { wholeRun } from "../recipes/whole-run.ts";
import { serious } from "./axe.ts";
import { flat, page } from "./report-page.ts";

jest.setTimeout(600_000); // on a machine that may be busy

let folder = "";
let watching: Watching;
/** Addresses by what they are of: every recipe's page, that of a run that is compared, and the one that watches a run. */
let pages: Readonly<Record<string, string>> = {};
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tokensift-pages-"));
  const outputs = await Promise.all(
    recipeCases.map(async ({ name }) => [name, (await wholeRun(name)).output] as const),
  );
  const reports = outputs.map(([name, output]) => [name, pathToFileURL(join(output, "report.html")).href]);
  const run = outputs.find(([name]) => name === "sstoken")![1];
  const { arms, metrics, comparisons } = compareRuns([run]);
  const compared = join(folder, "compared.html");
  writeFileSync(compared, comparisonPage([run], arms, metrics, comparisons, await exploredRun([run])));
  watching = await watchRun(run);
  pages = { ...Object.fromEntries(reports), compared: pathToFileURL(compared).href, watched: watching.url };
});
afterAll(async () => {
  await watching?.close();
  rmSync(folder, { recursive: true, force: true });
});

const light = { "prefers-color-scheme": "light" };
const dark = { "prefers-color-scheme": "dark" };

/** Elements that are cut, or stand over each other, by what they say. */
const cut = (page: BrowserPage): Promise<string[]> =>
  page.evaluate(
    `[...document.querySelectorAll(".scroll, pre, svg, .tokens")].filter((part) => part.scrollWidth > part.clientWidth + 1).map((part) => part.textContent.slice(0, 60))`,
  );
const wide = (page: BrowserPage): Promise<number> => page.evaluate("document.documentElement.scrollWidth");

test.each(recipeCases.map(({ name }) => name))(
  "the page of %s shows answers beside each other, and the course",
  async (name) => {
    const { section, titles } = page(readFileSync(join((await wholeRun(name)).output, "report.html"), "utf8"));
    expect(titles()[0]).toBe("Results");
    const sides = [...section("Answers")!.querySelector("article")!.querySelectorAll("dt")].map((side) =>
      flat(side.textContent),
    );
    expect(sides).toEqual([
      "Reference",
      ...["Before", "After"].map((side) =>
        expect.stringMatching(
          name === "attention-gate"
            ? /^(All entries|Those kept): (right|wrong)$/
            : new RegExp(`^${side}: (right|wrong)$`),
        ),
      ),
    ]);
    const curves = [...section("Course")!.querySelectorAll("svg")].map((svg) => svg.getAttribute("aria-label"));
    expect(curves).toEqual(
      ["Learning rate", "Norm of the gradient", "Tokens per second", "Memory"].map((curve) =>
        expect.stringMatching(`^${curve} against (steps|iterations)$`),
      ),
    );
  },
);

(chromium === undefined ? test.skip : test)(
  "every recipe's page, compared runs and a watched one are read by all, on any screen, light, dark and on paper",
  async () => {
    await inChromium(async (browser) => {
      for (const [name, url] of Object.entries(pages)) {
        await browser.open(url);
        for (const [width, scheme, rules] of [
          [1600, light, undefined],
          [1600, dark, ["color-contrast"]], // nothing else depends on colours
          [400, light, ["color-contrast"]],
          [400, dark, undefined],
        ] as const) {
          await browser.size(width, 1000);
          await browser.media(scheme, "screen");
          const found = [await serious(browser, rules), (await wide(browser)) <= width];
          expect([name, width, scheme, ...found]).toEqual([name, width, scheme, [], true]);
        }
        if (name === "watched") continue;
        await browser.size(718, 1000); // of A4 between its margins
        await browser.media(dark, "print");
        expect([name, await serious(browser, ["color-contrast"]), await cut(browser)]).toEqual([name, [], []]);
        expect(await browser.evaluate("getComputedStyle(document.documentElement).backgroundColor")).toBe(
          "rgb(255, 255, 255)",
        );
      }
      expect(browser.complaints).toEqual([]);
    });
  },
);
