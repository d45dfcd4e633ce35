// npx tsx scripts/plant-errors.ts --model MODEL --data train.jsonl --rows 600 --out planted.jsonl [--share 0.3] [--seed 42]
//
// Writes rows of question and answer with errors planted as `tokensift trial` plants them: the data of
// docs/results/smollm2-gsm8k.md. The column `clean` has 0 for every response token that is wrong, else 1, and `noise` the
// opposite: a run says how many of these tokens its rule dropped.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { openDataset } from "../src/data/index.ts";
import type { Row } from "../src/data/dataset.ts";
import { tokensOfRow } from "../src/data/row-tokens.ts";
import { readModelFacts } from "../src/model/index.ts";
import { kindsNamed } from "../src/trial/kinds/catalogue.ts";
import { plantedRow } from "../src/trial/labels.ts";
import { answerOf } from "../src/trial/marked-rows.ts";
import { plantRows } from "../src/trial/plant-rows.ts";
import { drawRows, shuffled } from "../src/trial/trial-rows.ts";
import { countMarks, markedTokens, rightColumn } from "../src/trial/trial-tokens.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    data: { type: "string" },
    out: { type: "string" },
    rows: { type: "string", default: "600" },
    kinds: { type: "string", default: "numbers" },
    share: { type: "string", default: "0.3" },
    seed: { type: "string", default: "42" },
    "max-tokens": { type: "string", default: "256" },
  },
});
const { model, data, out } = values;
if (!model || !data || !out) throw new Error("--model, --data and --out are needed");
const seed = Number(values.seed);
const tokenizing = { maxTokens: Number(values["max-tokens"]), truncate: "skip" as const };

const dataset = await openDataset(data);
const { tokenizer } = await readModelFacts(model);
const fits = (row: Row): boolean =>
  !("skipped" in tokensOfRow(row, tokenizer, tokenizing, () => dataset.where(row.rowId)));
const drawn = await drawRows(dataset, Number(values.rows), shuffled(dataset.length, seed), fits);
const kinds = kindsNamed(values.kinds);
const planted = plantRows(drawn, { kinds, share: Number(values.share), seed }).map(plantedRow);
const marked = await markedTokens(planted, dataset, tokenizer, tokenizing);

const lines = Array.from(marked.tokens.rowIds, (rowId, i) => {
  const { response, columns } = marked.tokens.row(i);
  const { row } = planted.find((each) => each.row.rowId === rowId)!;
  const question = row.prompt ?? row.messages?.[0]?.content;
  const clean = Array.from(columns[rightColumn]!).filter((_, t) => response[t] === 1);
  return JSON.stringify({ question, answer: answerOf(row), clean, noise: clean.map((right) => 1 - right) });
});
writeFileSync(out, `${lines.join("\n")}\n`);
const { wrong, tokens, rows } = countMarks(marked);
process.stdout.write(
  `${lines.length} rows, ${rows} of them with errors; ${wrong} of ${tokens} response tokens are wrong.\n`,
);
await dataset.close();
