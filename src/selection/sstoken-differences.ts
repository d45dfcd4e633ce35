import type { Difference } from "../contract/index.ts";

const article = "https://arxiv.org/abs/2510.18250";
const program = "the program released with it";

/** What the presets `paper`, `released` and `recommended` differ in, and what none of them can switch. */
export const ssTokenDifferences: readonly Difference[] = [
  {
    what: "what the kept losses are divided by",
    paper: "each response by ratio x its length, then the mean of responses (sequence-budget)",
    released: "the kept tokens of each micro-batch, then the mean of micro-batches (micro-batch)",
    ours: "the kept tokens of the whole optimizer step (kept), so that splitting a batch changes nothing",
    option: "divideBy",
    source: `${article}, training objective; ${program}: loss of the training step`,
  },
  {
    what: "first part of the training",
    paper: "gamma applies from the first step",
    released: "gamma is 0, attention alone, for the first 10,000 samples",
    ours: "gamma applies from the first step, but see the range of REL below",
    option: "warmup.samples",
    source: program,
  },
  {
    what: "a response whose REL is all but equal",
    paper: "min-max scaling stretches it to [0, 1], rounding noise included",
    released: "the same",
    ours: "below a raw range of 1e-4 attention alone decides",
    option: "minimumRange",
    source: "this library: with the base as history, REL is rounding noise at the start",
  },
  {
    what: "the token that ends a turn",
    paper: "competes like any other",
    released: "the same",
    ours: "takes a place of the budget first, so that the model learns to stop",
    option: "keepEndOfTurn",
    source: "this library",
  },
  {
    what: "tokens that the model has been losing",
    paper: "dropped, for as long as their REL stays low",
    released: "the same",
    ours: "the same, unless keepBelow is set: then tokens with REL below -keepBelow are kept as well",
    option: "keepBelow",
    source: "this library",
  },
  {
    what: "rounding of ratio x tokens",
    paper: "up",
    released: "up",
    ours: "up, guarded against float64 (0.55 of 100 is 55, not 56)",
    option: "rounding",
    source: `${article}, selection; ${program}`,
  },
  {
    what: "history model",
    paper: "an earlier state; the base model in the experiments, a moving average brought no gain",
    released: "losses of the base model, computed once in evaluation mode and looked up by row",
    ours: "as released, kept as a cached column; ema and none on request",
    option: "history.source",
    source: `${article}, history model; ${program}`,
  },
  {
    what: "current losses",
    paper: "of the model in training",
    released: "of the training forward itself, dropout on",
    ours: "of the training forward itself",
    source: program,
  },
  {
    what: "order of the data",
    paper: "not said",
    released: "not shuffled",
    ours: "shuffled by seed; data.shuffle: false for the file's order",
    source: program,
  },
  {
    what: "what counts as prompt",
    paper: "the prompt of a single turn",
    released: "as many leading tokens as labels are ignored, wrong for several turns",
    ours: "every earlier token that is not a response token; the same for a single turn",
    source: "this library",
  },
];

/** What one should know before trusting a run. The figures are of this library's own trials. */
export const ssTokenNotes: readonly string[] = [
  "Warning: where the noise is new to the model, REL ranks it first, and ssToken keeps the errors and does harm. The " +
    "model first learns that results are often wrong: wrong ones gain, right ones lose. AUC of a low REL for finding " +
    "wrong tokens (0.5 is chance): .60 to .70 where the model was trained on such noise before (models/tiny-noisy), .06 " +
    "to .22 where it was not (models/tiny), .08 to .20 with SmolLM2-135M and LoRA on grade-school maths with wrong " +
    "results. Greedy answers of models/tiny, .79 at the start: .35 after training on everything, .12 with ssToken.",
  "For noise that is new use `order: lowest` with gamma 1 and a warm-up that trains everything (configs/sstoken/" +
    "new-noise.yaml: .50 there, where leaving out exactly the wrong tokens gives .59), or small-loss (.38). It protects " +
    "from harm; what is new and right is learnt late, too.",
  "Which ratio fits: drop a little more than the share of noise. Where 5 % of the tokens are wrong and known to the model " +
    "as noise, ratio 0.9 gained over full and over random at 0.9 (loss -.037, probability of the right solution .097 to " +
    ".159), 0.95 hardly, 0.8 lost right answers, and the paper's 0.6 lost to full: its budget goes to tokens of loss 0 " +
    "that attend to the prompt, and three of four right operands are dropped and get worse.",
  "It feeds on itself: kept tokens improve and are kept again, dropped ones get worse and stay dropped. With large " +
    "steps it can lock on to whatever is learnt fastest, noise included. Small steps, ratio 0.8 or more, gamma below " +
    "1 and warmup.samples soften this; watch the loss of all tokens beside that of the kept ones.",
  "Until the model has moved away from its history, REL means nothing: relRange in metrics.jsonl says when it does.",
  "Always compare with full and with random at the same ratio and seed, and call a difference a gain only after a " +
    "paired test over several seeds.",
];
