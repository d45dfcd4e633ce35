import { expect, jest, test } from "@jest/globals";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { renderReport } from "../../src/recipes/finetune/report.ts";
import { compareRuns } from "../../src/grid/side-by-side/compare-runs.ts";
import { exploredRun } from "../../src/grid/side-by-side/explored-run.ts";
import { comparisonPage } from "../../src/grid/side-by-side/page.ts";
import { weighExplored, type ExploredRow } from "../../src/report/explorer/weigh.ts";
import { watchRun } from "../../src/report/watch/watch-run.ts";
import { type BrowserPage, chromium, inChromium } from "../chromium.ts";
import { serious } from "./axe.ts";
import { evil } from "./report-page.ts";
import { writeRun } from "./run-fixture.ts";

const context = { step: 4, samplesSeen: 8, seed: 7 };

/** Rows of a thousand tokens in all. */
const rows: readonly ExploredRow[] = [3, 12].map((rowId) => {
  const length = 500;
  const numbers = (factor: number): (number | null)[] =>
    Array.from({ length }, (_, t) => (t < 20 ? null : Math.fround(((t * factor + rowId) % 101) / 97)));
  return {
    rowId,
    response: numbers(1).map((value) => Number(value !== null)),
    endOfTurn: numbers(1).map((_, t) => Number(t === length - 1)),
    signals: { nll: numbers(31), historyNll: numbers(57), promptAttention: numbers(73) },
  };
});

function writeExplorable(): string {
  const folder = writeRun();
  const weighed = weighExplored(rows, "sstoken", { ratio: 0.6, history: {} }, context);
  const pictured = rows.map((row, i) => ({
    ...row,
    ...weighed[i]!,
    ...{ loss: 1.5, lossBefore: 2.5 },
    pieces: row.response.map((_, t) => (t % 50 === 0 ? evil : ` w${t}`)),
  }));
  writeFileSync(
    join(folder, "tokens.json"),
    JSON.stringify({ ...context, chosen: { rows: "changed", among: 9 }, rows: pictured }),
  );
  writeFileSync(join(folder, "report.html"), renderReport(folder));
  return folder;
}

/** Of every token whether the page shows it as dropped. */
const dropped = (page: BrowserPage): Promise<boolean[][]> =>
  page.evaluate(
    `[...document.querySelectorAll("figure[data-row]")].map((row) => [...row.querySelectorAll(".tokens > span")].map((span) => span.classList.contains("d")))`,
  );
const expected = (name: string, options: object): boolean[][] =>
  weighExplored(rows, name, options as Record<string, unknown>, context).map(({ weights }, row) =>
    weights.map((weight, t) => rows[row]!.response[t] === 1 && weight === 0),
  );

/** Tries what the page's policy forbids. */
const tried = (page: BrowserPage): Promise<[ran: boolean, fetched: boolean]> =>
  page.evaluate(
    `(async () => { const script = document.createElement("script"); script.textContent = "window.ran = true"; document.body.append(script); return [window.ran === true, await fetch("data:,x").then(() => true, () => false)]; })()`,
  );

jest.setTimeout(180_000); // on a machine that may be busy

const there = chromium === undefined ? test.skip : test;

there("in Chromium a person drags, picks and walks through the explorer, which shows Node's numbers", async () => {
  const folder = writeExplorable();
  try {
    await inChromium(async (page) => {
      await page.size(1600, 1000);
      await page.open(pathToFileURL(join(folder, "report.html")).href);
      expect(await page.evaluate("document.getElementById('explorer').hidden")).toBe(false);
      expect(await dropped(page)).toEqual(expected("sstoken", { ratio: 0.6, history: {} }));

      // drag gamma to its right end
      const slider = "document.querySelector('#explorer input[name=gamma]')";
      const box = await page.evaluate<{ x: number; y: number; width: number }>(
        `${slider}.scrollIntoView({ block: "center" }), (({ x, y, width, height }) => ({ x, y: y + height / 2, width }))(${slider}.getBoundingClientRect())`,
      );
      await page.mouse("mousePressed", box.x + box.width / 2, box.y);
      await page.mouse("mouseMoved", box.x + box.width + 30, box.y);
      await page.mouse("mouseReleased", box.x + box.width + 30, box.y);
      expect(await page.evaluate(`${slider}.value`)).toBe("1");
      expect(await dropped(page)).toEqual(expected("sstoken", { ratio: 0.6, gamma: 1, history: {} }));

      // the ratio by keys
      await page.evaluate("document.querySelector('#explorer input[name=ratio]').focus()");
      await page.press("ArrowLeft", 20);
      expect(await dropped(page)).toEqual(expected("sstoken", { ratio: 0.4, gamma: 1, history: {} }));
      const pick = (name: string): Promise<unknown> =>
        page.evaluate(
          `(() => { const select = document.querySelector("#explorer select"); select.value = "${name}"; select.dispatchEvent(new Event("change")); })()`,
        );
      for (const name of ["random", "small-loss", "loss-top"]) {
        await pick(name);
        expect(await dropped(page)).toEqual(expected(name, { ratio: 0.4 }));
      }
      const took = await page.evaluate<number>(
        `(() => { const slider = document.querySelector("#explorer input[name=ratio]"); const start = performance.now(); for (let i = 0; i < 10; i++) { slider.value = String(0.3 + i / 20); slider.dispatchEvent(new Event("input")); document.body.offsetHeight; } return (performance.now() - start) / 10; })()`,
      );
      expect(took).toBeLessThan(1_000); // some 10 ms where nothing else runs
      await page.evaluate("[...document.querySelectorAll('#explorer button')].at(-1).click()");
      expect(await dropped(page)).toEqual(expected("sstoken", { ratio: 0.6, history: {} }));

      const about = "[...document.querySelectorAll('figure.row > .about')].map(({ textContent }) => textContent)";
      expect(await page.evaluate(about)).toEqual(new Array(2).fill("loss 1.50 nats per token, 2.50 before training"));

      // by keys from token to token, with its numbers to six digits
      await page.evaluate('document.querySelector(\'figure[data-row="1"] .tokens span[tabindex="0"]\').focus()');
      await page.press("ArrowRight", 3);
      const told = await page.evaluate<string>("document.getElementById('explorer-token').textContent");
      expect(told).toContain(`loss now ${Number(rows[1]!.signals.nll![23]!.toPrecision(6))}`);
      expect(told).toContain(`loss before ${Number(rows[1]!.signals.historyNll![23]!.toPrecision(6))}`);
      expect(await page.evaluate("document.activeElement.getAttribute('aria-label')")).toContain("token 23");

      expect(await page.evaluate("document.querySelectorAll('img, iframe').length")).toBe(0);
      for (const scheme of ["light", "dark"]) {
        await page.media({ "prefers-color-scheme": scheme });
        expect(await serious(page)).toEqual([]);
      }
      await page.size(400, 800);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(400);
      expect(await serious(page)).toEqual([]);
      await page.media({}, "print");
      expect(await page.evaluate("getComputedStyle(document.getElementById('explorer')).display")).toBe("none");
      expect(page.complaints).toEqual([]);

      // the page of compared runs has the same explorer
      writeFileSync(join(folder, "run.json"), JSON.stringify({ format: "tokensift run", version: 1 }));
      const { arms, metrics, comparisons } = compareRuns([folder]);
      const compared = join(folder, "compared.html");
      writeFileSync(compared, comparisonPage([folder], arms, metrics, comparisons, await exploredRun([folder])));
      await page.media({ "prefers-color-scheme": "dark" }, "screen");
      await page.open(pathToFileURL(compared).href);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(400);
      await pick("random");
      expect(await dropped(page)).toEqual(expected("random", { ratio: 0.6 }));
      expect(await serious(page)).toEqual([]);
      expect(page.complaints).toEqual([]);
      expect(await tried(page)).toEqual([false, false]);
      await page.open(pathToFileURL(join(folder, "report.html")).href);
      expect(await tried(page)).toEqual([false, false]);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

there("in Chromium the watched page is loaded anew where the reader is", async () => {
  const folder = writeExplorable();
  writeFileSync(join(folder, "run.json"), JSON.stringify({ format: "tokensift run", version: 1 }));
  const { url, close } = await watchRun(folder, { every: 20 });
  try {
    await inChromium(async (page) => {
      await page.size(1000, 700);
      await page.open(url);
      const until = (expression: string): Promise<unknown> =>
        page.evaluate(
          `new Promise((done) => { const look = () => (${expression}) ? done(true) : setTimeout(look, 20); look(); })`,
        );
      await until(
        "frames[0]?.document.title === 'sstoken on noisy.arrow' && frames[0].document.readyState === 'complete'",
      );
      expect(await page.evaluate("document.getElementById('arms').textContent")).toContain(
        "main arm: step 4, loss 0.5",
      );
      await page.evaluate("frames[0].scrollTo(0, 300)");
      const old = readFileSync(join(folder, "report.html"), "utf8");
      writeFileSync(join(folder, "report.html"), old.replace("sstoken on noisy.arrow</h1>", "a later page</h1>"));
      await until(
        "frames[0].document.querySelector('h1')?.textContent === 'a later page' && frames[0].scrollY === 300",
      );

      // not while somebody is at the explorer, unless asked
      const title = (expected: string) => `frames[0].document.querySelector('h1')?.textContent === '${expected}'`;
      await page.evaluate("frames[0].document.querySelector('#explorer select').focus()");
      writeFileSync(join(folder, "report.html"), old.replace("sstoken on noisy.arrow</h1>", "the last page</h1>"));
      await until("!document.getElementById('fresh').hidden");
      expect(await page.evaluate(title("a later page"))).toBe(true);
      expect(await serious(page)).toEqual([]);
      await page.evaluate("document.getElementById('fresh').click()");
      await until(title("the last page"));
      expect(await page.evaluate("document.getElementById('fresh').hidden")).toBe(true);
      expect(page.complaints).toEqual([]);
      expect(await tried(page)).toEqual([false, false]);
    });
  } finally {
    await close();
    rmSync(folder, { recursive: true });
  }
});
