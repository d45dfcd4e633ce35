import { readModelFacts } from "../model/model.ts";
import { formatShare, terminalNumber } from "../report/format.ts";
import { createProgress } from "../report/progress.ts";
import { UserError } from "../system/errors.ts";
import { Interrupted } from "../system/interrupted.ts";
import { watchInterruption, type Interruption } from "../system/interruption.ts";
import { lastingStreams } from "../system/lasting-streams.ts";
import type { TextStream } from "../system/streams.ts";
import { terminalText } from "../system/visible-text.ts";
import { trialArms } from "../trial/arms.ts";
import { plantingKinds } from "../trial/kinds/catalogue.ts";
import { prepareRows } from "../trial/prepare.ts";
import { requireTrialMemory, runTrial, type TrialPlan, type TrialRuns } from "../trial/run-trial.ts";
import { allWeights, ratioFor, type TrialSettings, warmupRows, withAdapter } from "../trial/settings.ts";
import { summaryOf } from "../trial/summary.ts";
import { selectionText, trialTable, verdictLines } from "../trial/text.ts";
import { defineCommand } from "./command.ts";
import { dataFlag, readingFlags } from "./data-flags.ts";
import { engineFlags, withEngine } from "./engine.ts";
import { aligned } from "./layout.ts";
import { writeNumbers } from "./trial-numbers.ts";
import { openTrialData, trialRequest } from "./trial-request.ts";
import { requiredValue } from "./values.ts";
import { withFlag } from "./with-flag.ts";
import { requireWritableFile } from "./writable-file.ts";

const rowsIn = ({ rows, heldOut }: TrialSettings): number => rows + heldOut;
const either = (key: "steps" | "batchSize"): string => `${allWeights[key]}, or ${withAdapter[key]}`;

/** `tokensift trial`. */
export const trial = defineCommand({
  usage: "trial --model DIR|FILE.gguf --data FILE [--kinds NAMES | --labels COLUMN] [--out FILE.json] [flags]",
  summary: "Finds out on some of your rows which rule fits: trains briefly under each, on errors that are known.",
  details: `
Of the data some rows are drawn, and some of these held out as they are. Into the answers of the others errors are
planted, one kind to a row, in memory: your files stay as they are. Kinds:
${plantingKinds.map(({ name, summary }) => `  ${name.padEnd(9)} ${summary}`).join("\n")}
--share is how likely each place that could be made wrong (a number, a sentence, an ending) is.

Then the model is trained from its start under each rule, on the same rows: full, random (the same ratio), sstoken,
sstoken with order: lowest, small-loss, and an oracle that leaves out exactly the wrong tokens: what the best rule
could reach. Models of 20 million weights or more train a LoRA adapter of rank 16.

The table: AUC (how likely the rule would drop a wrong token before a right one; 0.5 is chance), precision (share of
the dropped tokens that is wrong) and recall (share of the wrong ones that is dropped), after a fifth of the steps, in
which rules that compare the model with its start only warm up; the mean loss on the held-out rows, and its
difference from full and from random on the same rows; the time of a training, and the rows that had to pass through
the starting model besides. Intervals hold 95 % of the values when rows are drawn again; with several seeds each row
counts with its mean over the seeds.

A rule is recommended where its loss is lower than that of full and of random, both intervals below 0. Planted errors
are not your own: how a rule fares depends on whether the model knows them already. With --labels the errors are your
own: a column that says of each row null (not judged), or true (wrong) or false, or a number for each token of the row
or its answer (0 = right), or which characters of the answer are wrong, as [{ "start": 0, "end": 4 }, ...]. Fifty rows
do where 16 of them are right, or with --held-out. Rows that are not judged train as they are. Held out are rows with
nothing wrong, or those of --held-out. The recommended rule is told as YAML, too: \`selection:\` of a configuration.`,
  flags: {
    model: { type: "string", value: "PATH", description: "A folder in Hugging Face layout, or a GGUF file." },
    ...dataFlag,
    ...readingFlags,
    kinds: {
      type: "string",
      value: "NAMES",
      description: `Errors to plant, with commas between: ${plantingKinds.map(({ name }) => name).join(",")}. Default numbers.`,
    },
    share: { type: "string", value: "X", description: "How likely each place is made wrong. Default 0.3." },
    labels: { type: "string", value: "COLUMN", description: "The column that marks errors; nothing is planted." },
    "held-out": { type: "string", value: "PATH", description: "Rows to measure on. Default: some of the data's." },
    rows: {
      type: "string",
      value: "N",
      description: `Rows to draw, held-out ones among them. Default ${rowsIn(allWeights)}, or ${rowsIn(withAdapter)} for a model that takes an adapter.`,
    },
    "max-tokens": { type: "string", value: "N", description: "Leave out longer rows. Default 512." },
    ratio: {
      type: "string",
      value: "X",
      description: "Share that rules keep. Default: they drop twice the share that is wrong, 5 % to 50 %.",
    },
    steps: { type: "string", value: "N", description: `Optimizer steps of each training. Default ${either("steps")}.` },
    "batch-size": { type: "string", value: "N", description: `Rows of a step. Default ${either("batchSize")}.` },
    "learning-rate": { type: "string", value: "X", description: "Default 1e-4, or 5e-4 for an adapter." },
    seeds: { type: "string", value: "N", description: "Train so often under each rule, with other seeds. Default 1." },
    seed: { type: "string", value: "N", description: "Seed of the draws, and of the first training. Default 42." },
    out: { type: "string", short: "o", value: "FILE", description: "Write the numbers as JSON, too: FILE.json." },
    overwrite: { type: "boolean", description: "Replace the file if it exists." },
    ...engineFlags,
  },
  run: async (values, streams) => {
    const path = requiredValue("model", values.model, "a model folder or a GGUF file");
    const { out } = values;
    // With a file to come the trial goes on where standard output is closed or full.
    using lasting = out !== undefined && streams.stdout === process.stdout ? lastingStreams() : undefined;
    const { stdout, stderr } = lasting ?? streams;
    if (out !== undefined) requireWritableFile(out, { overwrite: values.overwrite ?? false });
    const asked = trialRequest(values);
    const facts = await withFlag("model", path, readModelFacts);
    await using data = await openTrialData(values, asked);
    const say = (sentence: string): void => void stderr.write(`${terminalText(sentence)}\n`);
    const settings = asked.settingsOf(facts.config);
    await withEngine(values, stderr, async (engine) => {
      using interruption = watchInterruption();
      const { rows, seed, seeds, tokenizing } = asked;
      const { trained, heldOut, wrong } = await prepareRows(data.dataset, facts.tokenizer, {
        ...{ errors: data.errors, heldOutData: data.heldOut, seed, rows: rows ?? settings.rows + settings.heldOut },
        heldOut: settings.heldOut,
        tokenizing: { ...tokenizing(facts.config), onNotice: say },
        context: facts.config.maxPositions,
      });
      const ratio = asked.ratio ?? ratioFor(wrong.wrong / wrong.tokens);
      const arms = trialArms({ ratio, warmupRows: warmupRows(settings), keepEndOfTurn: !trained.marksEnds });
      const plan = { path, facts, trained, heldOut, settings, arms, seeds };
      requireTrialMemory(plan, engine);
      stdout.write(`${asked.firstLine}\n\n`);
      const share = `${formatShare(wrong.wrong / wrong.tokens, 1)} of their ${terminalNumber(wrong.tokens)} answer tokens`;
      const counts = `${trained.tokens.length} rows to train; ${trained.marks.size} of them are judged, and ${share} are wrong`;
      stdout.write(`${counts}.\n${describe(plan, ratio)}\n\n`);
      const runs = await watchedTrial(plan, interruption, stderr);
      const summary = summaryOf(arms, runs);
      try {
        if (out !== undefined) {
          const { adapter, steps, batchSize, learningRate } = settings;
          const about = {
            model: path,
            data: values.data,
            errors: asked.errors,
            ratio,
            wrong,
            heldOutRows: heldOut.length,
          };
          writeNumbers(out, { about: { ...about, steps, batchSize, learningRate, adapter, seeds }, ...summary });
          say(`the numbers are in ${out}`);
        }
      } finally {
        stdout.write(aligned(trialTable(summary), new Set([4, 5, 6]))); // also where the file cannot be written
        stdout.write(`\n${verdictLines(summary).join("\n")}\n${selectionText(summary)}`);
      }
    });
  },
});

function describe({ heldOut, settings, seeds }: TrialPlan, ratio: number): string {
  const { steps, batchSize, learningRate, adapter } = settings;
  const what = adapter ? "a LoRA adapter of rank 16" : "all weights";
  const trainings = seeds.length === 1 ? "one training" : `${seeds.length} trainings`;
  return (
    `Under each rule ${trainings} of ${what}: ${steps} steps of ${batchSize} rows, learning rate ${learningRate}, ` +
    `ratio ${ratio}; measured on ${heldOut.length} held-out rows.`
  );
}

/** Runs a trial with a progress line. */
async function watchedTrial(plan: TrialPlan, interruption: Interruption, stderr: TextStream): Promise<TrialRuns> {
  const { arms, seeds, settings } = plan;
  const total = arms.length * seeds.length * settings.steps;
  const progress = createProgress({ stream: stderr, total, label: "trial", everySteps: settings.steps });
  let [step, name] = [0, ""];
  try {
    return await runTrial(plan, {
      onArm: (arm, seed) => (name = seeds.length === 1 ? arm : `${arm}, seed ${seed}`),
      async onStep(isStep) {
        if (isStep) progress.update({ step: ++step, fields: { rule: name } });
        await interruption.check();
      },
      onWork() {
        if (interruption.asked()) throw new Interrupted("stopped: no file was written");
      },
    });
  } catch (error) {
    if (error instanceof UserError && error.code === "not-finite" && name !== "") throw diverged(error, name, plan);
    return interruption.rethrow(error);
  } finally {
    progress.done();
  }
}

/** Numbers that leave their range are told with the flag that does it, not with a configuration's keys. */
function diverged(cause: UserError, rule: string, { settings: { learningRate } }: TrialPlan): UserError {
  const what = `training under the rule ${rule}: ${cause.message.split("\n")[0]!}`;
  return new UserError("not-finite", what, { fix: `Lower --learning-rate (${learningRate}).`, cause });
}
