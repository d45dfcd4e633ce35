import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { signed } from "../grid/collect/paired.ts";
import { axisTable } from "../grid/collect/tables.ts";
import { compareRuns } from "../grid/side-by-side/compare-runs.ts";
import { exploredRun } from "../grid/side-by-side/explored-run.ts";
import { writeFileAtomically } from "../data/atomic.ts";
import { diskError } from "../system/disk-error.ts";
import { UserError } from "../system/errors.ts";
import { optional } from "../system/optional.ts";
import { isRunFolder } from "../training/run-folder.ts";
import { terminalText } from "../system/visible-text.ts";
import { defineCommand } from "./command.ts";
import { aligned } from "./layout.ts";
import { requiredValue } from "./values.ts";

/** What a run calls its own page. */
const runPage = "report.html";

/** `tokensift compare`. */
export const compare = defineCommand({
  usage: "compare RUN RUN … --out PAGE.html [--metrics A,B] [--against ARM]",
  summary: "Puts runs, seeds and arms beside each other on one page, with paired differences.",
  details:
    "Arms of one name and the same settings are seeds of one; where settings differ, the name says in what. Differences are\n" +
    "paired by seed and by held-out problem. One is called a difference if its 95 % interval leaves 0 out, that survives\n" +
    "Holm's correction, and there are at least three seeds.",
  flags: {
    out: { type: "string", value: "PAGE.html", description: "The page; one that is there is replaced." },
    metrics: { type: "string", value: "A,B", description: "What is compared. Default: what all arms have measured." },
    against: {
      type: "string",
      value: "ARM",
      description: "Compare all others with this one. Default: every two, of many each with the first.",
    },
  },
  positionals: 10_000,
  run: async (values, { stdout }, folders) => {
    const out = requiredValue("out", values.out, "the page to write, such as compared.html");
    if (!/\.html?$/i.test(out))
      throw new UserError("invalid-option", `--out is ${JSON.stringify(out)}, but must end in .html`);
    requireOtherPage(out);
    if (folders.length === 0)
      throw new UserError("missing-option", "there is no run to compare", { fix: "Name the folders of runs." });
    const metrics = values.metrics?.split(",").map((name) => name.trim());
    const compared = compareRuns(folders, optional({ metrics, against: values.against }));
    const { comparisonPage, verdictOf } = await import("../grid/side-by-side/page.ts"); // its drawing library is large
    const explored = await exploredRun(folders);
    const page = comparisonPage(folders, compared.arms, compared.metrics, compared.comparisons, explored);
    try {
      writeFileAtomically(out, page);
    } catch (error) {
      throw diskError(error, out, "compare again", "Name another place with --out.");
    }
    const { heads, rows } = axisTable({ axis: "runs", arms: compared.arms }, compared.metrics);
    const differences = compared.comparisons.map((each) => [
      `${each.arm} - ${each.against}`,
      each.metric,
      signed(each.interval.difference),
      `[${signed(each.interval.low)}, ${signed(each.interval.high)}]`,
      each.verdict,
    ]);
    const tables = [[heads.map((head, i) => (i === 0 ? "arm" : head)), ...rows], differences];
    for (const table of tables) if (table.length > 0) stdout.write(`${terminalText(aligned(table))}\n`);
    stdout.write(
      `${terminalText(verdictOf(compared.comparisons, compared.arms, compared.metrics))}\nThe page is ${terminalText(out)}\n`,
    );
  },
});

/** @throws UserError for the page that a run writes of itself, also by another name */
function requireOtherPage(out: string): void {
  const place = existsSync(out) ? realpathSync(out) : resolve(out);
  if (basename(place) !== runPage || !isRunFolder(dirname(place))) return;
  throw new UserError("file-exists", "--out is the page of a run itself", {
    where: out,
    fix: "Name another file, such as compared.html.",
  });
}
