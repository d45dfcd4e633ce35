// npx tsx scripts/own-solutions.ts --model MODEL --data QUESTIONS --responses runs/oreal/trajectories/iteration-1.arrow --out own.jsonl
//
// A model's own sampled answers as rows of question and answer, with the verifier's judgement in the column `wrong`: natural
// errors for `tokensift trial --labels wrong` (docs/results/trial.md). Reads what cDPO judges and what OREAL draws.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { openDataset } from "../src/data/index.ts";
import { readModelFacts } from "../src/model/index.ts";
import { readResponses } from "../src/recipes/kit/responses/index.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    data: { type: "string" },
    responses: { type: "string" },
    out: { type: "string" },
  },
});
const { model, data, responses, out } = values;
if (!model || !data || !responses || !out) throw new Error("--model, --data, --responses and --out are needed");
const { config } = await readModelFacts(model);
const dataset = await openDataset(data);
const questions = new Map<number, string>();
for await (const { rowId, prompt } of dataset.rows()) if (prompt !== undefined) questions.set(rowId, prompt);
await dataset.close();
const all = readResponses(responses, config);
const whole = all.filter(({ finished }) => finished);
const lines = whole.map(({ rowId, text, verdict }) => {
  const row = { question: questions.get(rowId), answer: text, wrong: verdict !== "correct" };
  return `${JSON.stringify(row)}\n`;
});
writeFileSync(out, lines.join(""));
const wrong = whole.filter(({ verdict }) => verdict !== "correct").length;
process.stdout.write(`${whole.length} of ${all.length} answers came to their end; ${wrong} of them are wrong.\n`);
