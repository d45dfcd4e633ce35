import { afterEach, describe, expect, test } from "@jest/globals";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { explorerSource } from "../../scripts/build-explorer.ts";
import { renderReport } from "../../src/recipes/finetune/report.ts";
import { explorerScript } from "../../src/report/explorer/script.min.ts";
import { rulesFor, weighExplored } from "../../src/report/explorer/weigh.ts";
import { ssToken } from "../../src/selection/sstoken.ts";
import { rows } from "../browser/explorer.ts";
import { evil, expectNested, expectSelfContained, page } from "./report-page.ts";
import { writeRun } from "./run-fixture.ts";

let folder = "";
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A run whose tokens.json holds what the explorer reads. */
function explorable(more: object = {}): string {
  folder = writeRun();
  const weighed = weighExplored(rows, "sstoken", { ratio: 0.6 }, context);
  const pictured = rows.map((row, i) => ({
    ...row,
    ...weighed[i]!,
    pieces: row.response.map((_, t) => `${evil}${t}`),
  }));
  writeFileSync(
    join(folder, "tokens.json"),
    JSON.stringify({ step: 4, samplesSeen: 8, seed: 7, rows: pictured, ...more }),
  );
  return folder;
}

const context = { step: 4, samplesSeen: 8, seed: 7 };

describe("the token explorer", () => {
  test("weighs as the rule itself does", () => {
    const [first] = weighExplored(rows.slice(0, 1), "sstoken", { ratio: 0.5, gamma: 1 }, context);
    const row = rows[0]!;
    const array = (values: readonly (number | null)[]) => Float32Array.from(values, (value) => value ?? 0);
    const tokens = {
      ...{ rows: 1, width: row.response.length, rowIds: Float64Array.of(row.rowId) },
      ...{ response: Uint8Array.from(row.response), endOfTurn: Uint8Array.from(row.endOfTurn) },
      signals: {
        nll: array(row.signals.nll!),
        historyNll: array(row.signals.historyNll!),
        promptAttention: array(row.signals.promptAttention!),
      },
    };
    const rule = ssToken({ ratio: 0.5, gamma: 1 });
    expect(first!.weights).toEqual([...rule.weigh(tokens, { ...context, uniform: () => 0 })]);
  });

  test("offers the rules of which the rows hold what they read", () => {
    const names = rulesFor(rows).map(({ name }) => name);
    for (const name of ["full", "random", "sstoken", "small-loss", "high-entropy"]) expect(names).toContain(name);
    for (const name of ["rho1", "token-cleaning", "dataset-weights"]) expect(names).not.toContain(name);
  });

  test("is in the page with its one script, and hostile tokens stay text", () => {
    const markup = renderReport(explorable());
    expectSelfContained(markup);
    expectNested(markup.replace(/<script.*<\/script>/gs, ""));
    const { document } = page(markup);
    expect(document.querySelectorAll("figure[data-row]").length).toBe(2);
    expect(markup.match(/<script>/g)).toHaveLength(1);
    const data = JSON.parse(document.getElementById("explorer-data")!.textContent) as { rule: string; rows: object[] };
    expect([data.rule, data.rows.length]).toEqual(["sstoken", 2]);
  });

  test("is left out of a static page, and where the file does not say where the run stood", () => {
    explorable();
    writeFileSync(join(folder, "config.yaml"), `${readFileSync(join(folder, "config.yaml"), "utf8")}report: static\n`);
    const still = renderReport(folder);
    expect(still).not.toContain("<script");
    expect(still).toContain('data:"');
    rmSync(folder, { recursive: true });
    expect(renderReport(explorable({ seed: null }))).not.toContain("<script");
  });

  test("runs in the page what `npm run build:explorer` makes of its source", async () => {
    expect(await explorerSource()).toContain(JSON.stringify(explorerScript));
  });
});
