import { describe, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { openArrow } from "../../../src/data/arrow/read.ts";
import type { RowFacts } from "../../../src/cli/score/score-rows.ts";
import { temporaryFolder, tied, tokensift } from "../run.ts";

const folder = temporaryFolder();

async function scored(rows: readonly object[], ...argv: string[]): Promise<RowFacts[]> {
  const [data, out] = [folder.writeRows("rows.jsonl", rows as never), folder.path("scored.jsonl")];
  const fixed = ["--model", tied, "--data", data, "--out", out, "--overwrite", "--engine", "cpu"];
  const { code, err } = await tokensift("score", ...fixed, ...argv);
  if (code !== 0) throw new Error(err);
  const lines = readFileSync(out, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as RowFacts);
}

const ids = [5, 6, 7, 8, 9, 10];

describe("what the data let tokens count", () => {
  const row = { input_ids: ids, loss_mask: [0, 0, 0.5, 0, -1, 1] };

  test("is written as dataWeights, and multiplied into the weights", async () => {
    const [facts] = await scored([row]);
    expect(facts!.dataWeights).toEqual(row.loss_mask);
    expect(facts!.weights).toEqual(row.loss_mask);
    expect(facts!.response).toEqual([0, 0, 1, 0, 1, 1]);
  });

  test("leaves tokens of weight 0 out of the ranking", async () => {
    const [facts] = await scored([row], "--selector", "loss-top", "--set", "ratio=0.3");
    // of three tokens that count one is kept, the one with the highest loss of them
    const counted = [2, 4, 5].toSorted((a, b) => facts!.nll[b]! - facts!.nll[a]!);
    const kept = facts!.weights.map((weight, t) => (weight === 0 ? -1 : t)).filter((t) => t >= 0);
    expect(kept).toEqual([counted[0]]);
    expect(facts!.weights[kept[0]!]).toBe(row.loss_mask[kept[0]!]);
  });

  test("is what --prompt-weight gives prompts, which no rule ranks; their losses stay as they are", async () => {
    const options = ["--selector", "loss-top", "--set", "ratio=0.3"];
    const [plain] = await scored([row], ...options);
    const [facts] = await scored([row], ...options, "--prompt-weight", "0.25");
    const prompts = [0, 0.25, 0, 0.25, 0, 0];
    expect(facts!.dataWeights).toEqual(row.loss_mask.map((weight, t) => weight + prompts[t]!));
    expect(facts!.weights).toEqual(plain!.weights.map((weight, t) => weight + prompts[t]!));
    expect([facts!.response, facts!.nll]).toEqual([plain!.response, plain!.nll]);
  });

  test("is written to Arrow, too, and not at all where no row says anything", async () => {
    const [data, out] = [folder.writeRows("rows.jsonl", [row] as never), folder.path("scored.arrow")];
    const { code } = await tokensift(
      ...["score", "--model", tied, "--data", data, "--out", out, "--overwrite", "--engine", "cpu"],
    );
    expect(code).toBe(0);
    const table = openArrow(out);
    expect(table.row(0, ["dataWeights"]).dataWeights).toEqual(Float32Array.from(row.loss_mask));
    table.close();
    expect(Object.keys((await scored([{ input_ids: ids, labels: ids }]))[0]!)).not.toContain("dataWeights");
  });
});

describe("the losses of tokenized rows", () => {
  const second = [11, 12, 13];
  const losses = (rows: readonly RowFacts[]) => rows.map(({ nll }) => nll);
  const alone = [
    { input_ids: ids, labels: ids },
    { input_ids: second, labels: second },
  ];

  test("do not depend on padding", async () => {
    const padded = alone.map(({ input_ids }) => ({
      input_ids: [3, 3, ...input_ids, 3],
      attention_mask: [0, 0, ...input_ids.map(() => 1), 0],
      labels: [-100, -100, ...input_ids, -100],
    }));
    expect(losses(await scored(padded))).toEqual(losses(await scored(alone)));
  });

  test("nor on the text that was packed before", async () => {
    const whole = [...ids, ...second];
    const packed = { input_ids: whole, labels: whole, position_ids: [0, 1, 2, 3, 4, 5, 0, 1, 2] };
    expect(losses(await scored([packed]))).toEqual(losses(await scored(alone)));
  });
});
