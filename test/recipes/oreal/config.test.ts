import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { armConfig, mainArm } from "../../../src/recipes/oreal/arm-config.ts";
import { orealDefinition } from "../../../src/recipes/oreal/config.ts";
import { editorSchema } from "../../../src/config/editor-schema.ts";
import { orealSchema } from "../../../src/recipes/oreal/config-schema.ts";
import { orealPresets } from "../../../src/recipes/oreal/objective-schema.ts";
import { outcomePresets } from "../../../src/reward/outcome-presets.ts";
import { tokenWeightPresets } from "../../../src/reward/token-weights.ts";
import { resolvePolicy } from "../../../src/reward/policy-options.ts";
import { orealValues, settingsOf } from "../../../src/recipes/oreal/objective.ts";
import { configFolder, reader } from "../../config/folder.ts";

const definition = orealDefinition(orealValues);
const { load, complaints } = reader(definition, configFolder("model/config.json", "train.arrow", "train.js"));
const minimal = "model: model\ndata:\n  train: train.arrow\n";

describe("an OREAL configuration", () => {
  test("needs a model and questions only, and learns no token weights by itself", () => {
    const { config } = load(minimal);
    expect(config.objective).toMatchObject({ preset: "recommended", keep: "all", advantage: "one-minus-p" });
    expect(config.objective.weights).toEqual({ source: "none" });
    expect(config.rewardModel).toBeUndefined();
    expect(config.training).not.toHaveProperty("policyFreeze");
    expect(mainArm(config)).toMatchObject({ name: "oreal", iterations: 20, policySteps: 1 });
  });

  test("draws on where an objective leaves questions out, and only there", () => {
    const dynamic = `${minimal}sampling: {dynamic: {}}\n`;
    expect(load(dynamic).config.sampling.dynamic).toEqual({ maxRounds: 10 });
    expect(complaints(`${dynamic}objective: {keep: none}\n`)).toMatch(/sampling\.dynamic is not used.*keep is none/);
    expect(load(`${dynamic}objective: {keep: none}\ncompare: [dapo]\n`).config.sampling.dynamic).toBeDefined();
  });

  test.each(orealPresets)("takes the preset %s for what the reward folder's is", (preset) => {
    const { config } = load(`${minimal}objective: {preset: ${preset}}\n`);
    const { policy, weights, ...settings } = settingsOf(config.objective, config);
    const { policy: wantedPolicy, weights: wantedWeights, ...wanted } = outcomePresets[preset];
    expect(settings).toEqual(wanted);
    const { kl, ...resolved } = resolvePolicy(policy);
    const length = "normalizer" in wantedPolicy && wantedPolicy.normalizer === "constant" ? { length: 256 } : {};
    const { kl: wantedKl, ...wantedResolved } = resolvePolicy({ ...wantedPolicy, ...length });
    expect(resolved).toEqual(wantedResolved);
    if (resolved.klCoefficient > 0) expect(kl).toBe(wantedKl);
    expect(weights).toEqual(wantedWeights === "one" ? "one" : tokenWeightPresets[wantedWeights.preset]);
  });

  test("of the released program scores states before the token, by running means, against the initial model", () => {
    const { config } = load(`${minimal}objective: {preset: released}\n`);
    expect(config.objective).toMatchObject({ rewards: "plus-minus-one", advantage: "rloo", reference: "initial" });
    expect(config.objective).toMatchObject({ positiveScale: "advantage", keep: "pair", kl: "unbiased" });
    expect(config.objective.weights).toEqual({
      source: "learned",
      of: "running-mean",
      scoreAt: "before",
      threshold: 0.5,
    });
    expect(config.training).toMatchObject({ policyFreeze: 10, rewardSteps: 1 });
    expect(config.rewardModel).toMatchObject({ learningRate: 1e-4, beta2: 0.999, clipNorm: 1 });
  });

  test("gives an arm the run's objective, but for what the arm changes or the preset it names", () => {
    const arms = [
      "  - {name: omega, objective: {weights: {source: learned, topK: 0.25}}, iterations: 24, policyFreeze: 4}",
      "  - {name: plain, objective: {preset: rloo, klCoefficient: 0}}",
      "  - grpo",
    ];
    const { config } = load(`${minimal}objective: {negativeCoefficient: 0.3}\ncompare:\n${arms.join("\n")}\n`);
    const [omega, plain, grpo] = config.compare;
    expect(omega!.objective).toMatchObject({ preset: "recommended", negativeCoefficient: 0.3 });
    expect(omega!.objective.weights).toEqual({ source: "learned", of: "score", scoreAt: "token", topK: 0.25 });
    expect(omega).toMatchObject({ iterations: 24, policyFreeze: 4, rewardSteps: 1 });
    expect(plain!.objective).toMatchObject({ preset: "rloo", negativeCoefficient: 1, klCoefficient: 0 });
    expect(plain!.objective).not.toHaveProperty("kl");
    expect(plain).not.toHaveProperty("policyFreeze");
    expect(grpo).toMatchObject({ name: "grpo", objective: { advantage: "grpo", normalizer: "responses" } });
    expect(armConfig(config, plain!)).not.toHaveProperty("rewardModel");
    expect(armConfig(config, omega!).training).toMatchObject({ iterations: 24, policyFreeze: 4 });
  });

  test("drops what arms with learned weights would need where there are none, so that arms can be left out", () => {
    const { config } = load(
      `${minimal}rewardModel: {learningRate: 1e-3}\ntraining: {policyFreeze: 3, rewardSteps: 2}\n`,
    );
    expect(config).not.toHaveProperty("rewardModel");
    expect(config.training).not.toHaveProperty("policyFreeze");
  });

  test("loads again as what it was resolved to, every arm too", () => {
    const arms =
      "compare: [rloo, {name: w, objective: {preset: released}}, {name: s, objective: {klCoefficient: 0}}]\n";
    const { config, resolvedYaml } = load(minimal + arms);
    expect(load(resolvedYaml).config).toEqual(config);
    for (const arm of config.compare) {
      const own = armConfig(config, arm);
      expect(load(JSON.stringify(own)).config).toEqual(own);
    }
  });

  test("clips as a preset does, or alike on both sides", () => {
    const clips = ["{preset: dapo}", "{preset: dapo, clipLow: 0.1}", "{clip: sequence, clipLow: 0.01}", "{clip: none}"];
    expect(clips.map((objective) => load(`${minimal}objective: ${objective}\n`).config.objective)).toMatchObject([
      { clip: "token", clipLow: 0.2, clipHigh: 0.28, klCoefficient: 0 },
      { clip: "token", clipLow: 0.1, clipHigh: 0.28 },
      { clip: "sequence", clipLow: 0.01, clipHigh: 0.01 },
      {},
    ]);
    expect(load(minimal).config.objective).not.toHaveProperty("clip");
    const { config } = load(`${minimal}sampling: {maxNewTokens: 99}\nobjective: {preset: dr-grpo}\n`);
    expect(settingsOf(config.objective, config).policy).toMatchObject({ normalizer: "constant", length: 99 });
  });

  test("keeps the mass of shuffled weights unless told to keep their push, and learned ones have nothing to keep", () => {
    const arms = "compare: [{name: mass}, {name: push, objective: {weights: {equal: push}}}]\n";
    const { config } = load(`${minimal}objective: {weights: {source: shuffled}}\n${arms}`);
    const kept = [config, ...config.compare].map(({ objective: { weights } }) => "equal" in weights && weights.equal);
    expect(kept).toEqual(["mass", "mass", "push"]);
    const learned = load(`${minimal}objective: {weights: {source: learned}}\n`).config;
    expect(learned.objective.weights).not.toHaveProperty("equal");
  });

  test("takes token weights from elsewhere, each source with its control", () => {
    const arms = [
      "{name: a, objective: {weights: {shuffled: true}}}",
      "{name: b, objective: {weights: {shuffled: true, equal: push}}}",
      "{name: c, objective: {weights: {form: proportional}}}",
      "{name: d, objective: {weights: {source: rule, rule: {method: high-entropy, ratio: 0.5}}}}",
      "{name: e, objective: {weights: {source: learned, shuffled: true}}}",
      "{name: f, objective: {weights: {source: none}}}",
    ];
    const { config, resolvedYaml } = load(
      `${minimal}objective: {weights: {source: entropy}}\ncompare: [${arms.join(", ")}]\n`,
    );
    expect([config, ...config.compare].map(({ objective }) => objective.weights)).toEqual([
      { source: "entropy", form: "top", share: 0.2 },
      { source: "entropy", form: "top", share: 0.2, shuffled: true, equal: "mass" },
      { source: "entropy", form: "top", share: 0.2, shuffled: true, equal: "push" },
      { source: "entropy", form: "proportional" },
      { source: "rule", rule: { method: "high-entropy", ratio: 0.5 } },
      { source: "shuffled", equal: "mass", of: "score", scoreAt: "token", threshold: 0.5 },
      { source: "none" },
    ]);
    expect(load(resolvedYaml).config).toEqual(config);
    expect(armConfig(config, config.compare[0]!)).not.toHaveProperty("rewardModel");
    for (const arm of config.compare)
      expect(load(JSON.stringify(armConfig(config, arm))).config.objective).toEqual(arm.objective);
    const off = load(`${minimal}objective: {weights: {source: shuffled, shuffled: false}}\n`).config;
    expect(off.objective.weights).toMatchObject({ source: "learned" });
  });

  test("gives every arm the run's rewards, or its own", () => {
    const rewards = "rewards: [{method: verifier}, {method: length, weight: 0.2}]\n";
    const arms = "compare: [grpo, {name: short, rewards: [{method: length, form: overlong}]}]\n";
    const { config, resolvedYaml } = load(minimal + rewards + arms);
    const methods = [config, ...config.compare].map(({ rewards }) => rewards?.map(({ method }) => method));
    expect(methods).toEqual([["verifier", "length"], ["verifier", "length"], ["length"]]);
    expect(armConfig(config, config.compare[1]!).rewards).toEqual([{ method: "length", form: "overlong" }]);
    expect(load(resolvedYaml).config).toEqual(config);
    expect(load(minimal).config).not.toHaveProperty("rewards");
  });

  test("has no packed rows: its responses are drawn", () => {
    expect(complaints(minimal, ["data.packing=true"])).toMatch(/data\.packing is not a known key/);
  });

  test.each([
    ["objective: {clipLow: 0.1}", /objective\.clipLow is not used: nothing is clipped/],
    ["objective: {preset: dapo, clip: none, clipHigh: 0.1}", /objective\.clipHigh is not used/],
    ["objective: {preset: dapo, kl: squared}", /objective\.kl is not used: klCoefficient is 0/],
    ["objective: {clip: token, clipLow: 2}", /objective\.clipLow must be .*at most 1/],
    ["objective: {advantage: group-mean, keep: none}\nsampling: {samples: 1}", /sampling.samples must be at least 2/],
    ["objective: {klCoefficient: 0, kl: squared}", /objective\.kl is not used: klCoefficient is 0/],
    ["objective: {weights: {threshold: 0.4}}", /objective\.weights\.threshold is not used: weights\.source is none/],
    [
      "objective: {weights: {source: learned, threshold: 0.4, topK: 0.2}}",
      /threshold cannot be given together with topK/,
    ],
    ["compare: [{objective: {preset: rloo}, rewardSteps: 3}]", /compare\[0\]\.rewardSteps is not used/],
    ["objective: {preset: paper}\ntraining: {policyFreeze: 20}", /policyFreeze must be below the iterations \(20\)/],
    ["compare: [{objective: {preset: paper}, iterations: 5, policyFreeze: 5}]", /frozen for all of its 5 iterations/],
    ["compare: [rloo, rloo]", /has the same name as another arm, rloo/],
    ["compare: [{name: Model}]", /cannot be named Model/],
    ["compare: [rlo]", /got "rlo"; did you mean rloo\?/],
    ["compare: [{weights: {source: none}}]", /did you mean compare\[0\]\.objective\.weights\?/],
    ["sampling: {samples: 1}", /sampling.samples must be at least 2/],
    ["sampling: {replay: model}\noutput: model", /sampling.replay is the run folder itself/],
    ["policy: {learningRate: 1e-5, minimumLearningRate: 1e-4}", /must be at most policy\.learningRate \(0\.00001\)/],
    ["objective: {advantage: rlo}", /did you mean rloo\?/],
    ["objective: {presets: paper}", /did you mean objective\.preset\?/],
    ["objective: {weights: {source: learned, equal: push}}", /weights\.equal is not used: weights\.source is learned/],
    ["objective: {weights: {equal: push}}", /weights\.equal is not used: weights\.source is none/],
    [
      "objective: {normalizer: weights, weights: {source: shuffled, equal: push}}",
      /objective\.normalizer cannot be weights where weights\.equal is push/,
    ],
    [
      "training: {stopAtKl: 0.1}\ncompare: [rloo, {name: free, objective: {klCoefficient: 0}}]",
      /stopAtKl needs the KL to the initial model, which free does not compute: give/,
    ],
    ["objective: {preset: paper}\ntraining: {stopAtKl: 0.1}", /the initial model, which oreal does not compute/],
    ["training: {stopAtKl: 0.1}\nsampling: {replay: model}", /stopAtKl cannot be told from replayed responses/],
    ["objective: {weights: {source: entropy, threshold: 0.4}}", /threshold is not used: weights\.source is entropy/],
    [
      "objective: {weights: {source: entropy, equal: push}}",
      /equal is not used: weights\.source is entropy, not shuffled/,
    ],
    ["objective: {weights: {source: entropy, form: proportional, share: 0.3}}", /share is not used: form is prop/],
    ["objective: {weights: {source: adapter-shift}}", /weights\.source is adapter-shift, which needs policy\.adapter/],
    ["objective: {weights: {source: critical, positive: model}}", /needs two adapters/],
    ["objective: {weights: {source: critical, positive: nowhere, negative: model}}", /weights\.positive .*nowhere/],
    ["objective: {weights: {source: column}}", /weights\.source is column, and weights\.column names none/],
    ["objective: {weights: {source: column, column: c}}", /weights\.source is column, .*: give sampling\.replay/],
    ["objective: {preset: grpo, advantage: column, advantageColumn: c}", /advantage is column, .*sampling\.replay/],
    ["objective: {preset: grpo, advantage: column}\nsampling: {replay: model}", /advantageColumn names none/],
    ["objective: {preset: grpo, advantageColumn: c}", /advantageColumn is not used: advantage is grpo/],
    [
      "objective: {advantage: column, advantageColumn: c}\nsampling: {replay: model}",
      /positives must be policy-gradient/,
    ],
    ["objective: {weights: {source: entropy, positive: model}}", /positive is not used: weights\.source is entropy/],
    ["objective: {weights: {source: rule}}", /weights\.source is rule, and weights\.rule names none/],
    ["objective: {weights: {source: rule, rule: {method: rho}}}", /weights\.rule\.method is "rho".*did you mean rho1/],
    ["objective: {weights: {source: rule, rule: {method: rho1, ratio: 2}}}", /weights\.rule\.ratio must be/],
    ["objective: {weights: {shuffled: true}}", /weights\.shuffled is not used: weights\.source is none/],
    ["sampling: {passRates: {from: model, least: 0.5, most: 0.4}}", /passRates\.least must be at most .*most \(0\.4\)/],
    ["sampling: {passRates: {from: model}, replay: model}", /passRates is not used: the responses of sampling\.replay/],
    ["sampling: {passRates: {from: nowhere}}", /passRates\.from .*nowhere/],
    ["rewards: []", /rewards must be a list .* with at least 1/],
    ["rewards: [{method: lenght}]", /rewards\[0\]\.method is "lenght", but must be one of .* did you mean length\?/],
    ["rewards: [{method: length, wieght: 2}]", /rewards\[0\]\.wieght is not a known key; did you mean .*weight/],
    ["rewards: [{method: format, pattern: '(a)\\1'}]", /rewards\[0\] cannot be: .*refers back to a group/],
    ["rewards: [{method: length, form: overlong, from: 9, to: 8}]", /rewards\[0\] cannot be: .*from is 9/],
    ["rewards: [{method: ./mine.ts}]", /rewards\[0\]\.method .*mine\.ts/],
    ["rewards: [{method: train.js, weight: much}]", /rewards\[0\]\.weight must be a number/],
    ["compare: [{name: a, rewards: [{method: train.js, timeLimit: 0}]}]", /rewards\[0\]\.timeLimit must be a time/],
    ["sampling: {replay: nowhere}", /sampling.replay .*nowhere/],
  ])("refuses %s", (text, message) => {
    expect(complaints(`${minimal}${text}\n`)).toMatch(message);
  });
});

test("configs/schema/oreal.schema.json is what npm run build:schema writes", () => {
  const committed = readFileSync("configs/schema/oreal.schema.json", "utf8");
  expect(JSON.parse(committed)).toEqual(JSON.parse(JSON.stringify(editorSchema(orealSchema, definition.methods))));
});
