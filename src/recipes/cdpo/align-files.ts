import { findEntry } from "../../config/catalogue.ts";
import { preferenceForms } from "../../preference/catalogue.ts";
import { optional } from "../../system/optional.ts";
import type { TrainingEnd } from "../../training/open-learner.ts";
import { engineText } from "../../tensor/engine.ts";
import { shownFiles, shownPath, type Card } from "../kit/card.ts";
import type { CdpoArm } from "./config-schema.ts";
import type { CdpoWork } from "./work.ts";

/** What an aligned model's `README.md` says. */
export function alignmentCard(
  { config, command, inputs: { chatTemplate } }: CdpoWork,
  { objective, learningRate }: CdpoArm,
  steps: number,
): Card {
  const paper = findEntry(preferenceForms, objective.method)?.paper;
  return {
    title: "A model aligned with tokensift",
    facts: [
      `Start: ${shownPath(config.model)}`,
      `Questions: ${shownFiles(config.data.train)}`,
      `Objective: ${JSON.stringify(objective)}${paper === undefined ? "" : ` (${paper})`}`,
      ...(config.align.adapter ? [`LoRA adapter: ${JSON.stringify(config.align.adapter)}`] : []),
      `${steps} steps of ${config.align.training.batchSize} pairs, learning rate ${learningRate}, seed ${config.training.seed}`,
    ],
    command,
    chatTemplate,
  };
}

/** The last measured distance to the start. */
export function lastKl(records: Aligned["records"]): number | undefined {
  const measured = records.findLast(({ klToReference }) => typeof klToReference === "number");
  return measured?.["klToReference"] as number | undefined;
}

/** What an alignment leaves beside the model. */
export interface Aligned {
  readonly records: readonly Readonly<Record<string, unknown>>[];
  readonly pairs: number;
  readonly end: Pick<TrainingEnd, "warnings" | "stoppedAt" | "stopped" | "savedStep">;
}

/** The `summary.json` of an arm. */
export function alignmentSummary(
  { inputs }: CdpoWork,
  { name, objective, learningRate, stopAtKl }: CdpoArm,
  { records, pairs, end: { warnings, stoppedAt, stopped, savedStep } }: Aligned,
): string {
  const last = records.at(-1);
  const summary = {
    method: "cdpo",
    ...{ name, objective, learningRate, pairs },
    ...optional({ stopAtKl, klToReference: lastKl(records) }),
    steps: records.length,
    ...optional({ stoppedAt, stopped, savedStep }),
    firstLoss: records[0]?.["loss"],
    lastLoss: last?.["loss"],
    ...(last?.["accuracy"] !== undefined && { accuracy: last["accuracy"], rewardMargin: last["rewardMargin"] }),
    engine: engineText(inputs.engine),
    warnings,
  };
  return `${JSON.stringify(summary, null, 2)}\n`;
}
