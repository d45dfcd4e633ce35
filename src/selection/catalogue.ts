import type { JsonSchema } from "../contract/index.ts";
import type { TokenRule } from "../contract/index.ts";
import { datasetWeights } from "./dataset-weights.ts";
import { dft } from "./dft.ts";
import { eaft, eaftPresets } from "./eaft.ts";
import { focal } from "./focal.ts";
import { full } from "./full.ts";
import { highEntropy, highEntropyPresets } from "./high-entropy.ts";
import { iwSft, iwSftPresets } from "./iw-sft.ts";
import { lossTop } from "./loss-top.ts";
import { profit } from "./profit.ts";
import { random } from "./random.ts";
import { rho1 } from "./rho1.ts";
import {
  chooserSchema,
  divideBySchema,
  eaftSchema,
  focalSchema,
  highEntropySchema,
  iwSftSchema,
  profitSchema,
  scopeSchema,
  ssTokenSchema,
  tokenCleaningSchema,
} from "./schema.ts";
import { ssToken } from "./sstoken.ts";
import { type Preset, ssTokenPresets } from "./sstoken-options.ts";
import { tokenCleaning, tokenCleaningPresets } from "./token-cleaning.ts";

/** What is known of a rule without running it. */
export interface CatalogueEntry {
  /** One sentence. */
  readonly summary: string;
  /** The weight or score of token i. */
  readonly formula: string;
  /** Link to the paper, where there is one. */
  readonly paper?: string;
  /** JSON Schema of each option. */
  readonly options: Readonly<Record<string, JsonSchema>>;
  /** Option values by preset, for rules whose paper and program differ. The default preset is `recommended`. */
  readonly presets?: Readonly<Record<Preset, object>>;
  /** Makes the rule of options that fit `options` (and a `preset`, where there are presets). */
  create(options: object): TokenRule;
}

/** Every built-in rule by the name it has in a config. */
export const catalogue: Readonly<Record<string, CatalogueEntry>> = {
  full: {
    summary: "Every response token counts the same.",
    formula: "w(i) = 1",
    options: { divideBy: divideBySchema("kept") },
    create: full,
  },
  random: {
    summary: "Trains a random share of each response: the control at the same share.",
    formula: "keep the top rho of u(i), uniform, within each response",
    options: chooserSchema,
    create: random,
  },
  "loss-top": {
    summary: "Trains the tokens with the highest loss.",
    formula: "keep the top rho of L(i)",
    options: { ...chooserSchema, scope: scopeSchema("response") },
    create: lossTop,
  },
  sstoken: {
    summary: "Trains the tokens on which the model has improved over an earlier state and that attend to the prompt.",
    formula: "keep the top rho of gamma * minmax(L_history(i) - L(i)) + (1 - gamma) * Attn(i), within each response",
    paper: "https://arxiv.org/abs/2510.18250",
    options: ssTokenSchema,
    presets: ssTokenPresets,
    create: ssToken,
  },
  rho1: {
    summary: "Trains the tokens that a reference model finds easier than the model in training does.",
    formula: "keep the top rho of L(i) - L_reference(i), over the optimizer step",
    paper: "https://arxiv.org/abs/2404.07965",
    options: { ...chooserSchema, scope: scopeSchema("step") },
    create: rho1,
  },
  "token-cleaning": {
    summary: "Trains the tokens that a reference model finds easier than its base does; a pass before training.",
    formula: "keep the top rho of L_history(i) - L_reference(i), over the dataset; the history is the base model",
    paper: "https://arxiv.org/abs/2502.01968",
    options: tokenCleaningSchema,
    presets: tokenCleaningPresets,
    create: tokenCleaning,
  },
  "high-entropy": {
    summary: "Trains the tokens at which the model hesitates most.",
    formula: "keep H(i) >= the (1 - rho) quantile of H, over the optimizer step",
    paper: "https://arxiv.org/abs/2506.01939",
    options: highEntropySchema,
    presets: highEntropyPresets,
    create: highEntropy,
  },
  profit: {
    summary: "Drops the tokens that the model finds unlikely.",
    formula: "keep p(i) >= threshold, p(i) = exp(-L(i))",
    paper: "https://arxiv.org/abs/2601.09195",
    options: profitSchema,
    create: profit,
  },
  dft: {
    summary: "Weighs each token by its own probability, which tames the gradient of unlikely tokens.",
    formula: "w(i) = sg(p(i)) = exp(-L(i)), divided by the number of response tokens",
    paper: "https://arxiv.org/abs/2508.05629",
    options: {},
    create: dft,
  },
  focal: {
    summary: "Weighs each token by what its probability lacks to 1, so that known tokens fade.",
    formula: "w(i) = sg((1 - p(i))^kappa), divided by the number of response tokens",
    paper: "https://arxiv.org/abs/1708.02002",
    options: focalSchema,
    create: focal,
  },
  eaft: {
    summary: "Weighs each token by the entropy of the model, so that what it is sure of stays.",
    formula: "w(i) = sg((H_top20(i) / ln 20)^alpha), divided by the number of response tokens",
    paper: "https://arxiv.org/abs/2601.02151",
    options: eaftSchema,
    presets: eaftPresets,
    create: eaft,
  },
  "iw-sft": {
    summary: "Weighs each token by how much likelier it has become than under a reference model.",
    formula: "w(i) = sg(clamp(exp(L_reference(i) - L(i)), 0.2, 1.8)), divided by the number of response tokens",
    paper: "https://arxiv.org/abs/2507.12856",
    options: iwSftSchema,
    presets: iwSftPresets,
    create: iwSft,
  },
  "dataset-weights": {
    summary: "Takes each token's weight from a column of the dataset.",
    formula: "w(i) = column(i), negative allowed, divided by the number of response tokens",
    options: {
      column: { type: "string", minLength: 1, default: "token_weights", description: "Name of the per-token column." },
      divideBy: divideBySchema("response"),
    },
    create: datasetWeights,
  },
};
