import { stringify } from "yaml";
import { formatDifference, formatDuration, formatFixed, formatShare } from "../report/format.ts";
import type { Estimate } from "../evaluation/area-by-rows.ts";
import type { ArmSummary, PooledDifference, TrialSummary } from "./summary.ts";

/** Numbers in ASCII's minus sign, for a terminal. */
const plain = (text: string): string => text.replaceAll("−", "-");

const heads = ["rule", "AUC", "precision", "recall", "loss", "less full", "less random", "time"];

/** The table of a trial, head first: a row for each arm. */
export function trialTable({ arms, startLoss }: TrialSummary): string[][] {
  const start = ["(start)", "", "", "", formatFixed(startLoss, 4), "", "", ""];
  return [heads, start, ...arms.map(cellsOf)].map((row) => row.map(plain));
}

function cellsOf({ name, detection, loss, againstFull, againstRandom, seconds, extraRows }: ArmSummary): string[] {
  const { areaUnderCurve, precision, recall } = detection;
  const number = (value: number): string => formatFixed(value, 2);
  const share = (value: number): string => formatShare(value);
  const extra = extraRows === 0 ? "" : ` + ${extraRows} rows once`;
  return [
    name,
    estimateText(areaUnderCurve, number),
    estimateText(precision, share),
    estimateText(recall, share),
    formatFixed(loss, 4),
    againstFull === undefined ? "" : differenceText(againstFull),
    againstRandom === undefined ? "" : differenceText(againstRandom),
    formatDuration(seconds) + extra,
  ];
}

function estimateText({ value, low, high }: Estimate, text: (value: number) => string): string {
  return value === null ? "–" : `${text(value)} [${text(low!)}, ${text(high!)}]`;
}

function differenceText({ difference, low, high }: Pick<PooledDifference, "difference" | "low" | "high">): string {
  const text = (value: number): string => formatDifference(value, 4);
  return `${text(difference)} [${text(low)}, ${text(high)}]`;
}

/** What a trial found, a sentence to a line; the last one recommends a rule, or none. */
export function verdictLines({ arms, effects, recommended, startLoss }: TrialSummary): string[] {
  const armOf = (name: string): ArmSummary => arms.find((arm) => arm.name === name)!;
  const fullLoss = armOf("full").loss;
  const worse = `Training on everything makes the model worse: held-out loss ${formatFixed(startLoss, 4)} before, ${formatFixed(fullLoss, 4)} after.`;
  const ofRules = effects.flatMap(({ name, effect }) => {
    const { againstFull } = armOf(name);
    if (effect === "unclear" || name === recommended) return [];
    const [verb, order] = effect === "helps" ? ["helps, too", "less"] : ["does harm", "more"];
    return [`${name} ${verb}: ${differenceText(againstFull!)} nats, ${order} loss than full.`];
  });
  const lines = [...(fullLoss > startLoss ? [worse] : []), ...ofRules];
  if (recommended === undefined) return [...lines, "No rule helps here."].map(plain);
  const { againstFull, againstRandom, lossOfSeeds, ratio } = armOf(recommended);
  const seeds = lossOfSeeds.length;
  const ofSeeds = seeds === 1 ? "one seed" : `lower on ${againstFull!.lowerSeeds} of ${seeds} seeds`;
  return [
    ...lines,
    `Recommended: ${recommended} at ratio ${ratio}. Held-out loss ${differenceText(againstFull!)} nats ` +
      `against full, ${differenceText(againstRandom!)} against random (95 % intervals over held-out rows; ${ofSeeds}).`,
  ].map(plain);
}

/** The recommended rule as YAML to paste, with the very options that were tried; nothing where no rule helps. */
export function selectionText({ selection }: Pick<TrialSummary, "selection">): string {
  if (selection === undefined) return "";
  const warmup = "warmup" in selection ? "; warmup.samples is a fifth of the rows that this trial trained" : "";
  return `\nAs it was tried, for a configuration of the recipe sstoken or finetune${warmup}:\n\n${stringify({ selection })}`;
}
