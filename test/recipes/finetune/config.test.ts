import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { loadConfig } from "../../../src/config/index.ts";
import { readableNote } from "../../../src/data/open-table.ts";
import { finetuneRecipe, ssTokenRecipe } from "../../../src/recipes/finetune/recipe.ts";
import { ruleOf } from "../../../src/recipes/finetune/rules.ts";
import type { Signal, TokenRule } from "../../../src/contract/index.ts";
import { trialArms } from "../../../src/trial/arms.ts";
import { selectionText } from "../../../src/trial/text.ts";
import { configFolder, reader } from "../../config/folder.ts";
import { userError } from "../../user-error.ts";

const definition = ssTokenRecipe.config;
const folder = configFolder("model/config.json", "train.arrow", "held.arrow", "here/other.arrow", "configs/none");
const { load, complaints } = reader(definition, folder, { file: "configs/run.yaml", current: "here" });

const minimal = "model: ../model\ndata:\n  train: ../train.arrow\n";

describe("a fine-tuning configuration", () => {
  test("needs a model and rows only", () => {
    const { config } = load(minimal);
    expect(config.model).toBe(join(folder, "model"));
    expect(config.selection.method).toBe("sstoken");
    expect(config.training).toMatchObject({
      epochs: 1,
      batchSize: 16,
      microBatchSize: 16,
      seed: 42,
      warmupRatio: 0.03,
    });
    expect(config.history.source).toBe("base");
    expect(config.compare).toEqual([]);
  });

  test("takes paths from its own folder, and those of --set from the current one", () => {
    const { config } = load(`${minimal}  validation: [../held.arrow]\noutput: out\n`, ["data.train=other.arrow"]);
    expect(config.data.train).toBe(join(folder, "here/other.arrow"));
    expect(config.data.validation).toEqual([join(folder, "held.arrow")]);
    expect(config.output).toBe(join(folder, "configs/out"));
    expect(load(minimal, ["output=out"]).config.output).toBe(join(folder, "here/out"));
  });

  test("takes a chat template as a file of its own folder, as text, or the tokenizer's", () => {
    writeFileSync(join(folder, "configs/chat.jinja"), "{{ messages }}");
    const templateOf = (given: string) => load(`${minimal}  chatTemplate: ${given}\n`).config.data.chatTemplate;
    expect(templateOf("chat.jinja")).toBe(join(folder, "configs/chat.jinja"));
    expect(templateOf('"{{ messages }}"')).toBe("{{ messages }}");
    expect(templateOf("tokenizer")).toBe("tokenizer");
    expect(complaints(`${minimal}  chatTemplate: chat.jinjo\n`)).toMatch(
      /data\.chatTemplate.*did you mean chat\.jinja/,
    );
  });

  test("yields to the command line, the last setting of a key winning", () => {
    const { config } = load(`${minimal}training: {seed: 1, learningRate: 1}\n`, ["training.seed=2", "training.seed=3"]);
    expect(config.training).toMatchObject({ seed: 3, learningRate: 1 });
  });

  test("--set training.steps replaces the file's epochs", () => {
    const { training } = load(`${minimal}training: {epochs: 2}\n`, ["training.steps=5"]).config;
    expect(training.steps).toBe(5);
    expect(training).not.toHaveProperty("epochs");
  });

  test("resolved, gives the same again from another folder", () => {
    const { config, resolvedYaml } = load(
      `${minimal}selection: {ratio: 0.8}\ncompare: [full, {name: b, selection: {method: random, ratio: 0.5}}]\n`,
    );
    const file = join(folder, "here/resolved.yaml");
    writeFileSync(file, resolvedYaml);
    const again = loadConfig(definition, file, { folder: "/" });
    expect(again.config).toEqual(config);
    expect(again.resolvedYaml).toBe(resolvedYaml);
  });

  test("gives an arm named by its method the rule's shared options", () => {
    const { compare } = load(`${minimal}selection: {ratio: 0.8}\ncompare: [random]\n`).config;
    expect(compare).toMatchObject([{ name: "random", selection: { method: "random", ratio: 0.8 } }]);
  });

  test("leaves the options of a user's own rule to the rule", () => {
    writeFileSync(join(folder, "configs/mine.ts"), "");
    const { selection } = load(`${minimal}selection: {method: ./mine.ts, strength: 3}\n`).config;
    expect(selection).toEqual({ method: join(folder, "configs/mine.ts"), strength: 3 });
  });
});

describe("a wrong configuration", () => {
  test("is told all its problems at once, with line, key, what is expected, what was found and the likely key", () => {
    const text = `model: ../modle
data:
  trian: x
  maxTokens: 1.5
selection: {ratio: 2}
training:
  learning-rate: 1
  schedule: cosin
steps: 7
history: {source: bsae}
compare: [randm, {name: a/b, selection: {method: dft, ratoi: 3}}, 7]
`;
    const at = "/configs/run.yaml";
    expect(complaints(text, ["training.batchSize=x", "trainig.seed=4", "foo", "data.limit=[1"]).split("\n  ")).toEqual([
      "17 problems in the configuration",
      "--set foo: is not of the form key=value, as in --set training.steps=100",
      "--set data.limit=[1: data.limit:1:3: Flow sequence must end with a ]",
      "--set trainig.seed=4: trainig is not a known key; did you mean training?",
      '--set training.batchSize=x: training.batchSize must be a whole number, at least 1, got "x"',
      `${at}:1:8: model is "../modle", and there is no /modle; did you mean model?`,
      expect.stringMatching(/3:3: data\.train is missing; expected the path of a file or folder, or a list/),
      `${at}:3:3: data.trian is not a known key; did you mean data.train?`,
      `${at}:4:14: data.maxTokens must be a whole number, at least 2, got 1.5`,
      `${at}:5:20: selection.ratio must be a number, above 0 and at most 1, got 2`,
      `${at}:7:3: training.learning-rate is not a known key; did you mean training.learningRate?`,
      `${at}:8:13: training.schedule must be one of constant, linear, cosine, got "cosin"; did you mean cosine?`,
      `${at}:9:1: steps is not a known key; did you mean training.steps?`,
      expect.stringContaining('history.source is "bsae", and there is no /configs/bsae (and is not one of base'),
      expect.stringContaining('compare[0] is "randm", but must be one of full, random'),
      `${at}:11:25: compare[1].name must be text of the form ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$, got "a/b"`,
      expect.stringContaining("compare[1].selection.ratoi is not a known key"),
      expect.stringContaining(
        "compare[2] must be the name of a rule or the path of its file, or a group of keys, got 7",
      ),
    ]);
  });

  test.each([
    ["training: {steps: 1, epochs: 1}", /4:22: training\.epochs cannot be given together with training\.steps/],
    ["fresh: {tokenizer: ., width: 8, layers: 1, heads: 2, feedForwardWidth: 8}", /fresh cannot be given together/],
    ["training: {batchSize: 2, microBatchSize: 3}", /microBatchSize must be at most training\.batchSize \(2\)/],
    ["training: {learningRate: 1e-5, minimumLearningRate: 1}", /must be at most training\.learningRate/],
    ["training: {steps: 2, warmupSteps: 3}", /must be at most training\.steps \(2\)/],
    ["evaluation: {generate: true}", /needs held-out rows: give data\.validation/],
    ["evaluation: {samples: 2}", /evaluation\.samples stand beside greedy answers: set evaluation\.generate to true/],
    ["selfEvolving: {}\nreference: .", /selfEvolving cannot be given together with reference/],
    ["selection: {method: rho1}", /reference is missing; rho1 compares with a reference model/],
    ["compare: [full, iw-sft, rho1]", /^[^]*reference is missing; iw-sft compares with a reference model[^]*$/],
    [
      "selection: {method: token-cleaning, scope: response}\nhistory: {source: none}",
      /history\.source is none, but token/,
    ],
    [
      "compare: [token-cleaning]",
      /compare\[0\] cannot train with token-cleaning over the dataset: .* `tokensift score`/,
    ],
    ["selection: {method: loss-top, scope: dataset}", /selection cannot train with loss-top over the dataset/],
    ["compare: [full, full]", /same name as another arm, full/],
    ["compare: [full, {name: Full, selection: {method: full}}]", /compare\[1\] has the same name as another arm, Full/],
    ["compare: [{name: Model, selection: {method: full}}]", /cannot be named Model/],
    ["compare: [{name: stages, selection: {method: full}}]", /cannot be named stages/],
    ["compare: [{name: a.jsonl, selection: {method: full}}]", /cannot be named a\.jsonl/],
    ["compare: [{selection: {methd: full}}]", /methd .*did you mean compare\[0\]\.selection\.method\?/],
    ["compare: [{method: full}]", /did you mean compare\[0\]\.selection\.method\?/],
    ["threads: 1000000000", /threads must be a whole number, at least 1 and at most 512, got 1000000000/],
    [
      "training: {steps: 1e30}",
      /training\.steps must be a whole number, at least 1 and at most 2147483647, got 1e\+30/,
    ],
    ["compare: [{name: model, selection: {method: full}}]", /cannot be named model/],
    ["selection: {history: {source: none}}", /selection\.history is not a known key; did you mean history\?/],
    ["selection: [1]", /selection must be a group of keys, got a list of 1/],
    ["compare: {a: 1}", /compare must be a list .* got a group of keys/],
    ["output:", /output must be a path, got nothing \(an empty value\)/],
    ["data: 3", /given twice/],
  ])("%s", (line, message) => {
    expect(complaints(`${minimal}${line}\n`)).toMatch(message);
  });

  test.each([
    ["overlap: 8", /4:3: data\.overlap is not used: data\.truncate is end, not chunk/],
    ["truncate: chunk\n  maxTokens: 8\n  overlap: 8", /data\.overlap must be less than data\.maxTokens \(8\)/],
    ["truncate: chunk\n  overlap: 0", /data\.overlap must be a whole number, at least 1/],
    ["packing: 512", /data\.packing must be true or false, got 512/],
  ])("with data of %s is refused", (lines, message) => {
    expect(complaints(`${minimal}  ${lines}\n`)).toMatch(message);
  });

  test("that names a model or data by their ids on a hub gives the commands that fetch them", () => {
    const text = "model: HuggingFaceTB/SmolLM2-135M\ndata: {train: openai/gsm8k}\n";
    expect(complaints(text)).toMatch(/`hf download HuggingFaceTB\/SmolLM2-135M --local-dir models\/SmolLM2-135M`/);
    expect(complaints(text)).toMatch(/`hf download openai\/gsm8k --repo-type dataset --local-dir datasets\/gsm8k`/);
    expect(complaints(text)).toContain(readableNote()); // once it is fetched
  });

  test("without a model says so beside the other problems", () => {
    expect(complaints("")).toMatch(/model is missing; expected it or fresh(.|\n)*data\.train is missing/);
  });

  test("cannot reach JavaScript's object machinery through --set", () => {
    expect(complaints(minimal, ["__proto__.polluted=1", "a.constructor.x=1"])).toMatch(/2 problems/);
    expect({}).not.toHaveProperty("polluted");
  });

  test.each([
    ["no file", "missing.yaml", userError("missing-file", "missing.yaml")],
    ["a folder", "configs", userError("unreadable", /configs: .*EISDIR/)],
  ])("%s is one message", (_, name, refusal) => {
    expect(() => loadConfig(definition, join(folder, name))).toThrow(refusal);
  });

  test("that is not there is told beside one that is", () => {
    const example = "configs/cdpo/quickstart.yaml";
    expect(() => loadConfig(definition, join(folder, "missing.yaml"), { example })).toThrow(
      userError("missing-file", /as in configs\/cdpo\/quickstart\.yaml$/),
    );
  });

  test("a list instead of keys is one message", () => {
    expect(complaints("- 1\n")).toMatch(/run\.yaml:1:1: a configuration is a list of `key: value` lines/);
  });
});

/** What a rule makes of one response of eight tokens, in its warm-up and behind it. */
function chosen(rule: TokenRule): number[][] {
  const width = 9;
  const response = Uint8Array.from({ length: width }, (_, t) => Number(t > 0));
  const endOfTurn = Uint8Array.from({ length: width }, (_, t) => Number(t === width - 1));
  const signal = (step: number) => Float32Array.from({ length: width }, (_, t) => ((t * step) % 11) / 11);
  const signals = { nll: signal(5), historyNll: signal(3), promptAttention: signal(7) } as Record<Signal, Float32Array>;
  const tokens = { rows: 1, width, rowIds: Float64Array.of(0), endOfTurn, response, signals };
  return [0, 1000].map((samplesSeen) => [
    ...rule.weigh(tokens, { step: 0, samplesSeen, uniform: () => 0.5 } as Parameters<TokenRule["weigh"]>[1]),
  ]);
}

describe("the YAML of a rule that a trial recommends", () => {
  const candidates = [true, false].flatMap((keepEndOfTurn) =>
    trialArms({ ratio: 0.58, warmupRows: 320, keepEndOfTurn }).filter(({ part }) => part === "candidate"),
  );

  test.each(candidates)("is $name as the trial ran it, in a configuration of either recipe", async (arm) => {
    const { selection, rule } = arm;
    const yaml = selectionText({ selection }).replace(/^[^]*?(?=selection:)/, "");
    writeFileSync(join(folder, "configs/tried.yaml"), minimal + yaml);
    for (const recipe of [ssTokenRecipe, finetuneRecipe]) {
      const { config } = loadConfig(recipe.config, join(folder, "configs/tried.yaml"));
      const loaded = await ruleOf(config.selection, config);
      const told = (each: TokenRule) => JSON.stringify({ ...each, score: undefined }); // settings, budget, needs, division
      expect(told(loaded)).toBe(told(rule));
      expect(chosen(loaded)).toEqual(chosen(rule));
    }
  });

  test("says what its warm-up is, and is absent where no rule helps", () => {
    const [sstoken, , smallLoss] = candidates;
    expect(selectionText(sstoken!)).toContain("warmup.samples is a fifth of the rows");
    expect(selectionText(smallLoss!)).not.toContain("warmup");
    expect(selectionText({})).toBe("");
  });
});
