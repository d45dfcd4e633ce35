import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { writeFileSync } from "node:fs";
import { writeArrow } from "../../../src/data/arrow/write.ts";
import { loadConfig } from "../../../src/config/index.ts";
import { cdpoRecipe } from "../../../src/recipes/cdpo/recipe.ts";
import { gatherInputs } from "../../../src/recipes/kit/inputs.ts";
import { pairsOf, type TokenizedPair } from "../../../src/recipes/kit/pair-tokens.ts";
import { releaseEngine, useEngine, type EngineInfo } from "../../../src/tensor/engine.ts";
import { loadTokenizer } from "../../../src/text/index.ts";
import { temporaryFolder } from "../../data/folder.ts";
import { userError } from "../../user-error.ts";
import { smallSolver } from "../small-run.ts";

const folder = temporaryFolder();
const { decode } = loadTokenizer(smallSolver);
let engine: EngineInfo;
beforeAll(async () => {
  engine = await useEngine("cpu", { threads: 1 });
});
afterAll(releaseEngine);

let made = 0;

/** The pairs that a recipe gets of the rows, and what is said on the way. */
async function read(
  rows: readonly object[] | string,
  { weights, maxTokens = 64 }: { weights?: string; maxTokens?: number } = {},
): Promise<{ pairs: TokenizedPair[]; notes: string[] }> {
  const file = typeof rows === "string" ? rows : folder.path(`rows-${made++}.jsonl`);
  if (typeof rows !== "string") writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const config = folder.path("run.yaml");
  const data = { train: file, validation: file, maxTokens };
  writeFileSync(config, JSON.stringify({ model: smallSolver, data, output: folder.path("run") }));
  const notes: string[] = [];
  const note = (sentence: string): void => void notes.push(sentence);
  const start = cdpoRecipe.start(loadConfig(cdpoRecipe.config, config).config);
  const reporter = { note, working: () => undefined };
  const { pairs, close } = await gatherInputs(start, engine, reporter, { weights });
  await close();
  return { pairs: pairs ? pairsOf(pairs, "rows", note) : [], notes };
}

const texts = ({ chosen, rejected }: TokenizedPair) => ({
  prompt: decode(chosen.prompt),
  same: JSON.stringify(chosen.prompt) === JSON.stringify(rejected.prompt),
  answers: [chosen, rejected].map(({ ids }) => decode(ids)),
  finished: chosen.finished && rejected.finished,
});

const user = { role: "user", content: "How many ropes ?" };
const says = (content: string) => ({ role: "assistant", content });

describe("preference rows", () => {
  test.each([
    ["plain", { prompt: "How many ropes ? ", chosen: "6 ropes", rejected: "7 cups" }],
    ["with a question", { question: "How many ropes ?", chosen: "6 ropes", rejected: "7 cups" }],
    ["of text with the prompt in both", { chosen: "How many ropes ? 6 ropes", rejected: "How many ropes ? 7 cups" }],
    ["conversational", { prompt: [user], chosen: [says("6 ropes")], rejected: [says("7 cups")] }],
    ["of conversations with the prompt in both", { chosen: [user, says("6 ropes")], rejected: [user, says("7 cups")] }],
  ])("%s become pairs of answers to one prompt", async (_, row) => {
    const { pairs, notes } = await read([row]);
    const [pair] = pairs.map(texts);
    expect(pair).toMatchObject({ same: true, finished: true });
    expect(pair!.prompt).toMatch(/How many ropes \?/);
    expect(pair!.answers.map((text) => text.replace("</s>", "").trim())).toEqual(["6 ropes", "7 cups"]);
    expect(notes.join()).not.toMatch(/not used/);
  });

  test("that are no pairs are left out, counted by the reason", async () => {
    const prompt = [user];
    const other = [says("7"), { role: "user", content: "Why ?" }, says("8")];
    const { pairs, notes } = await read(
      [
        { prompt, chosen: [says("6")], rejected: [says("7")] },
        { prompt, chosen: [says("6")], rejected: [says("6")] },
        { prompt, chosen: [says("6")], rejected: other },
        { prompt, chosen: [says("6")], rejected: [says("7 cups ".repeat(20))] },
      ],
      { maxTokens: 30 },
    );
    expect(pairs.map(({ rowId }) => rowId)).toEqual([0]);
    const reasons = [/1 \(both answers are the same\)/, /1 \(.* several turns\)/, /1 \(the rejected .* too long\)/];
    for (const reason of reasons) expect(notes.at(-1)).toMatch(reason);
  });

  test("of which none is a pair are refused", async () => {
    await expect(read([{ prompt: "How ? ", chosen: "6", rejected: "6" }])).rejects.toThrow(
      userError("no-usable-rows", /1 \(both answers are the same\)/),
    );
  });
});

describe("token weights of pairs", () => {
  const row = { question: "How many ropes ?", chosen: "6 ropes", rejected: "7" };

  test("go with the tokens of each answer, the end included", async () => {
    const weights = { chosen_weights: [1, 0.5, 0], rejected_weights: [-1, 2] };
    const { pairs } = await read([{ ...row, ...weights }], { weights: "columns" });
    expect([...pairs[0]!.chosen.weights!]).toEqual([1, 0.5, 0]);
    expect([...pairs[0]!.rejected.weights!]).toEqual([-1, 2]);
  });

  test("of another number than the tokens are refused, and the row named", async () => {
    const right = { chosen_weights: [1, 1, 1], rejected_weights: [1, 1] };
    const rows = [right, { ...right, rejected_weights: [1] }].map((weights) => ({ ...row, ...weights }));
    await expect(read(rows, { weights: "columns" })).rejects.toThrow(
      userError("misaligned-column", /line 2.*rejected_weights.* 1 numbers.* 2 of them in the response/),
    );
  });

  test("that are not finite are refused, and the row named", async () => {
    const file = folder.path("nan.arrow");
    const lists = { chosen_weights: "list<float32>", rejected_weights: "list<float32>" } as const;
    const weights = { chosen_weights: [1, NaN, 1], rejected_weights: [1, 1] };
    writeArrow(file, { question: "utf8", chosen: "utf8", rejected: "utf8", ...lists }, [{ ...row, ...weights }]);
    await expect(read(file, { weights: "columns" })).rejects.toThrow(userError("invalid-weight", /row 0.*token 1/));
  });

  test("that an objective reads, and the rows do not have, are missed", async () => {
    await expect(read([row], { weights: "columns" })).rejects.toThrow(
      userError("missing-column", /chosen_weights and none rejected_weights/),
    );
    await expect(read([{ question: "How ?", answer: "6" }], { weights: "columns" })).rejects.toThrow(
      userError("missing-option", "columns"),
    );
  });

  test("that nobody reads are named, and need not fit", async () => {
    const { pairs, notes } = await read([{ ...row, chosen_weights: [1], rejected_weights: [1] }]);
    expect(pairs[0]!.chosen.weights).toBeUndefined();
    expect(notes.join()).toMatch(/chosen_weights and rejected_weights: not used/);
  });
});

test("pairs beside other rows are refused", async () => {
  const [pairs, questions] = [folder.path("pairs.jsonl"), folder.path("questions.jsonl")];
  writeFileSync(pairs, JSON.stringify({ question: "How ?", chosen: "6", rejected: "7" }));
  writeFileSync(questions, JSON.stringify({ question: "How ?", answer: "6" }));
  const config = folder.path("mixed.yaml");
  const train = [{ path: pairs }, { path: questions }];
  writeFileSync(config, JSON.stringify({ model: smallSolver, data: { train, validation: questions }, output: "x" }));
  const start = cdpoRecipe.start(loadConfig(cdpoRecipe.config, config).config);
  const reporter = { note: () => undefined, working: () => undefined };
  await expect(gatherInputs(start, engine, reporter, { weights: undefined })).rejects.toThrow(
    userError("invalid-option", /some of the data are preference pairs/),
  );
});
