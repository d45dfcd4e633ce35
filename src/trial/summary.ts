import type { MethodChoice } from "../config/method-choice.ts";
import { mean } from "../evaluation/mean.ts";
import type { PairedComparison } from "../evaluation/paired-bootstrap.ts";
import { pairedDifference } from "../report/compare-arms.ts";
import type { TrialArm } from "./arms.ts";
import { detectionOf, type Detection } from "./detection.ts";
import type { TrialRuns } from "./run-trial.ts";
import type { ArmRun } from "./train-arm.ts";
import { verdictOf, type Verdict } from "./verdict.ts";
import { pooledRows } from "./watch.ts";

/** A difference of held-out losses over all seeds. */
export interface PooledDifference extends PairedComparison {
  /** Seeds of which the difference of the means lies below 0. */
  readonly lowerSeeds: number;
}

/** What one rule came to, over all seeds. */
export interface ArmSummary {
  readonly name: string;
  readonly part: TrialArm["part"];
  readonly ratio: number;
  /** The rule as a configuration names it; absent of the oracle, which nobody can configure. */
  readonly selection?: MethodChoice;
  /** Mean over rows of the rows' mean losses, in nats, over all seeds and of each. */
  readonly loss: number;
  readonly lossOfSeeds: readonly number[];
  /** Mean probability of the reference response. */
  readonly probability: number;
  /** This arm's loss less that of a control, row by row; absent of the control itself. */
  readonly againstFull?: PooledDifference;
  readonly againstRandom?: PooledDifference;
  readonly detection: Detection;
  /** Of a training, mean over seeds. */
  readonly seconds: number;
  /** Rows that passed through the starting model beside the training, once for all seeds. */
  readonly extraRows: number;
}

export interface TrialSummary extends Verdict {
  /** The recommended rule as a configuration names it, under `selection`; absent where no rule helps. */
  readonly selection?: MethodChoice;
  readonly startLoss: number;
  readonly arms: readonly ArmSummary[];
}

/** The numbers of a trial: for each arm those over all seeds, and what follows from them. */
export function summaryOf(arms: readonly TrialArm[], { startLoss, historyRows, runs }: TrialRuns): TrialSummary {
  const runsOf = (name: string): readonly ArmRun[] => runs.get(name) ?? [];
  const summaries = arms.map(({ name, part, rule, selection }): ArmSummary => {
    const own = runsOf(name);
    const against = (control: string) => differenceOf(own, runsOf(control));
    return {
      ...{ name, part, ratio: rule.ratio ?? 1 },
      ...(part !== "ceiling" && { selection }),
      loss: mean(own.map(lossOf)),
      lossOfSeeds: own.map(lossOf),
      probability: mean(own.map(({ heldOut }) => heldOut.referenceProbability)),
      ...(name !== "full" && { againstFull: against("full") }),
      ...(name !== "random" && { againstRandom: against("random") }),
      detection: detectionOf(pooledRows(own.map(({ watched }) => watched))),
      seconds: mean(own.map(({ seconds }) => seconds)),
      extraRows: rule.needs.includes("historyNll") ? historyRows : 0,
    };
  });
  const candidates = summaries.flatMap(({ name, part, againstFull, againstRandom }) =>
    part === "candidate" ? [{ name, full: againstFull!, random: againstRandom! }] : [],
  );
  const verdict = verdictOf(candidates);
  const best = arms.find(({ name }) => name === verdict.recommended);
  return { startLoss, arms: summaries, ...verdict, ...(best && { selection: best.selection }) };
}

const lossOf = ({ heldOut }: ArmRun): number => mean(heldOut.rowLosses);

/** Row by row: each row's losses are means over the seeds. */
function differenceOf(ours: readonly ArmRun[], theirs: readonly ArmRun[]): PooledDifference {
  const { result } = pairedDifference(rowsOf(ours), rowsOf(theirs))!;
  const lowerSeeds = ours.filter((run, i) => lossOf(run) < lossOf(theirs[i]!)).length;
  return { ...result, lowerSeeds };
}

function rowsOf(runs: readonly ArmRun[]): { rowIds: readonly number[]; values: readonly number[] } {
  const { rowIds } = runs[0]!.heldOut;
  return { rowIds, values: rowIds.map((_, row) => mean(runs.map(({ heldOut }) => heldOut.rowLosses[row]!))) };
}
