import type { Divergence } from "../../training/divergence.ts";

type StepRecord = Readonly<Record<string, unknown>>;

/** Looks at every step's record, and says something when it is worth a warning. */
export type Watch<Said = string> = (record: StepRecord) => Said | undefined;

/** Says what the watches say of a record: none, one or several warnings. */
export function together<Said>(watches: readonly Watch<Said>[]): (record: StepRecord) => Said[] {
  return (record) => watches.flatMap((watch) => watch(record) ?? []);
}

/** A watch that is silent after its first warning. */
export function once<Said>(watch: Watch<Said>): Watch<Said> {
  let warned = false;
  return (record) => {
    if (warned) return undefined;
    const warning = watch(record);
    warned = warning !== undefined;
    return warning;
  };
}

const mend = "Lower the learning rate, or lengthen the warm-up; an earlier checkpoint is the better model.";

/**
 * Warns once of a loss that is not finite; enough for a loss that is not one of tokens.
 * @param key of the loss in a record
 */
export function finiteWatch(key = "loss"): Watch<Divergence> {
  return once((record) => {
    const loss = record[key];
    if (typeof loss !== "number" || Number.isFinite(loss)) return undefined;
    const step = Number(record["step"]);
    return { said: `At step ${step} the loss is ${loss}: it explodes. ${mend}`, since: step };
  });
}

const explosion = { steps: 20, nats: 5, factor: 3 };

/**
 * Warns once of a loss that explodes: one that is not finite, or whose mean over the last 20 steps is above 5 nats and
 * above 3 times that of the first step. It began with the first of the last steps that are all so bad by themselves.
 * @param key of the loss in a record, in nats per token
 */
export function explosionWatch(key = "loss"): Watch<Divergence> {
  let start: number | undefined;
  let bad = 0;
  const last: number[] = [];
  const finite = finiteWatch(key);
  return once((record) => {
    const loss = record[key];
    if (typeof loss !== "number") return undefined;
    if (!Number.isFinite(loss)) return finite(record);
    start ??= loss;
    const isBad = (loss: number): boolean => loss > explosion.nats && loss > explosion.factor * start!;
    bad = isBad(loss) ? bad + 1 : 0;
    last.push(loss);
    if (last.length > explosion.steps) last.shift();
    if (last.length < explosion.steps) return undefined;
    const mean = last.reduce((sum, each) => sum + each, 0) / last.length;
    if (!isBad(mean)) return undefined;
    const step = Number(record["step"]);
    const said =
      `At step ${step} the loss explodes: its mean over the last ${explosion.steps} steps is ` +
      `${mean.toPrecision(3)} nats, it began at ${start.toPrecision(3)}. ${mend}`;
    return { said, since: step - Math.max(0, bad - 1) };
  });
}

/**
 * Warns once when the loss is far worse than that of taking every token for equally likely.
 * @param key of the loss in a record, in nats per token
 */
export function divergenceWatch(vocabularySize: number, key = "loss"): Watch<Divergence> {
  const uniform = Math.log(vocabularySize);
  return once((record) => {
    const [loss, step] = [Number(record[key]), Number(record["step"])];
    if (!(step > 1 && loss > 1.5 * uniform)) return undefined;
    const said =
      `At step ${step} the loss is ${loss.toPrecision(3)}, worse than guessing among all ` +
      `${vocabularySize} tokens (${uniform.toPrecision(3)}): the training diverges. Lower training.learningRate.`;
    return { said, since: step };
  });
}
