// npx tsx scripts/answer-lengths.ts --model MODEL --responses runs/oreal/trajectories/iteration-1.arrow --out lengths.jsonl
//
// Of each sampled response that came to its end: a question with its prompt and final answer, and as the answer how many tokens
// the whole response has. OREAL learns to estimate it with `rewards: [{ method: closeness }]`, as PALACE does of thoughts that
// are hidden (https://arxiv.org/abs/2508.00912). Reads what cDPO samples and what OREAL draws.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { readModelFacts } from "../src/model/index.ts";
import { readResponses } from "../src/recipes/kit/responses/index.ts";

const { values } = parseArgs({
  options: { model: { type: "string" }, responses: { type: "string" }, out: { type: "string" } },
});
const { model, responses, out } = values;
if (!model || !responses || !out) throw new Error("--model, --responses and --out are needed");
const { tokenizer, config } = await readModelFacts(model);
const all = readResponses(responses, config);
const whole = all.filter(({ finished, answer }) => finished && answer !== null);
const lines = whole.map(({ prompt, ids, answer }) => {
  const asked = tokenizer.decode(prompt, { skipSpecialTokens: true });
  const question = `${asked}\nThe answer that was given: ${answer}\nHow many tokens did it take to write?`;
  return `${JSON.stringify({ question, answer: `#### ${ids.length}` })}\n`;
});
writeFileSync(out, lines.join(""));
process.stdout.write(`${lines.length} of ${all.length} responses: the others were cut off, or have no answer.\n`);
