import { writeArrow } from "../../data/arrow/write.ts";
import type { ColumnType } from "../../data/arrow/columns.ts";
import type { Estimate } from "../../evaluation/area-by-rows.ts";
import { recoveryModes } from "../../evaluation/critical/recovery.ts";
import type { PairedComparison } from "../../evaluation/paired-bootstrap.ts";
import { quantile } from "../../evaluation/quantile.ts";
import { responseColumns, responseRow } from "../../recipes/kit/responses/index.ts";
import { shareColumn, textColumn, type ResultColumn } from "../../recipes/kit/results.ts";
import { formatDifference, formatFixed, formatNumber, formatShare } from "../../report/format.ts";
import type { Tokenizer } from "../../text/index.ts";
import { criticalOf, isShown, names, type Findings, type NamedAgreement } from "./findings.ts";
import { countsText, type ChosenAnswers } from "./wrong-answers.ts";

/** What becomes of a critical token. */
export const modeNames = { with: "stays", free: "is left free", without: "must not come next" } as const;

/** pass@k of the checks: columns and rows, for a few k. */
export function recoveryTable({ recovery }: Findings): { columns: ResultColumn[]; rows: Record<string, unknown>[] } {
  const k = recovery?.k.filter((size, i, all) => [1, 4, 16].includes(size) || i === all.length - 1) ?? [];
  const rows = recoveryModes.map((mode) => {
    const at = (size: number) => recovery!.passAtK[mode][recovery!.k.indexOf(size)]!;
    return {
      token: modeNames[mode],
      ...Object.fromEntries(k.map((size) => [`pass@${size}`, at(size).value])),
    };
  });
  const columns = k.map((size) => shareColumn(`pass@${size}`, { page: `pass@${size}` }));
  return {
    columns: [textColumn("token", { head: "the critical token", page: "The critical token" }), ...columns],
    rows: recovery === undefined ? [] : rows,
  };
}

const headings = ["number", "area", "highest", "areaGain", "highestGain"] as const;

/** How well numbers of tokens agree with what was found. */
export function agreementTable(agreements: readonly NamedAgreement[]): {
  columns: ResultColumn[];
  rows: Record<string, string>[];
} {
  const heads: Record<(typeof headings)[number], string> = {
    number: "a token's number",
    area: "AUC",
    highest: "highest at the critical token",
    areaGain: "AUC against 1 - p",
    highestGain: "highest against 1 - p",
  };
  const compared = agreements.some(({ agreement }) => "gain" in agreement);
  const columns = headings
    .filter((key) => compared || !key.endsWith("Gain"))
    .map((key) => textColumn(key, { head: heads[key] }));
  const rows = agreements.map(({ name, agreement }) => {
    const { areaUnderCurve, highest } = agreement;
    const own = { number: name, area: interval(areaUnderCurve), highest: interval(highest) };
    if (!("gain" in agreement)) return own;
    const { gain } = agreement;
    return {
      ...own,
      areaGain: interval(gain.areaUnderCurve, difference),
      highestGain: interval(gain.highest, difference),
    };
  });
  return { columns, rows };
}

const plain = (text: string): string => text.replaceAll("−", "-");
const fixed = (value: number | null): string => plain(formatFixed(value, 3));
const difference = (value: number | null): string => plain(formatDifference(value, 3));

function interval({ value, low, high }: Estimate, text: (value: number | null) => string = fixed): string {
  return `${text(value)} [${text(low)}, ${text(high)}]`;
}

/** What was found, in sentences; the first is the main one. */
export function sentences(
  { answers, found, decisive, recovery, agreements }: Findings,
  { counts }: ChosenAnswers,
  { rollouts, tokenizer }: { rollouts: number; tokenizer: Pick<Tokenizer, "piece"> },
): string[] {
  const probabilities = found.map((answer) => criticalOf(answer, tokenizer)!.probability).sort((a, b) => a - b);
  const likely = probabilities.filter((p) => p > 0.5).length;
  const many = (value: number): string => plain(formatNumber(value));
  const share = (value: number): string => plain(formatShare(value, 1));
  const about =
    found.length === 0
      ? ""
      : ` To the model it has a probability of ${fixed(quantile(probabilities, 0.5))} in the median, and of more than one half in ${many(likely)} of them.`;
  const lines = [
    `Of ${many(answers.length)} wrong answers ${many(found.length)} have a critical token (${share(found.length / answers.length)}).${about}`,
  ];
  if (recovery) {
    const first = (mode: keyof typeof modeNames): string => share(recovery.passAtK[mode][0]!.value);
    const points = ({ difference: d, low, high }: PairedComparison): string => {
      const [middle, least, most] = [d, low, high].map((value) => plain(formatDifference(100 * value, 1)));
      return `${middle} [${least}, ${most}]`;
    };
    lines.push(
      `Of continuations from before it ${first("without")} are right where it must not come next, ${first("free")} where nothing is forbidden, ${first("with")} where it stays: ${points(recovery.againstWith)} points against staying, ${points(recovery.againstFree)} against nothing forbidden${isShown(recovery.againstFree) ? "" : " (no difference shown)"}.`,
    );
  }
  if (decisive.length < found.length)
    lines.push(
      `In ${many(found.length - decisive.length)} of the ${many(found.length)} fewer than 5 % are right even from before it: the model had lost the question earlier, and what is called critical there may be chance. The other ${many(decisive.length)} are decisive.`,
    );
  const estimate = agreements.find(({ name }) => name === names.estimate)?.agreement;
  const control = agreements.find(({ name }) => name === names.base)?.agreement;
  if (estimate && control && "gain" in estimate) {
    const { areaUnderCurve: gain } = estimate.gain;
    lines.push(
      `The contrast's estimate points at it with an AUC of ${fixed(estimate.areaUnderCurve.value)}, the model's own probability with ${fixed(control.areaUnderCurve.value)}: ${interval(gain, difference)}${isShown(gain) ? "" : ", no difference shown"}.`,
    );
  }
  lines.push(
    `Looked at: ${plain(countsText(counts))}. None right of ${many(rollouts)} continuations still allows a share of up to ${share(1 - 0.05 ** (1 / rollouts))} (95 %). Intervals hold 95 % of the values when questions are drawn again.`,
  );
  return lines;
}

/** One answer in `results.json`; its tokens are in `answers.arrow`. */
export function answersJson({ answers }: Findings, tokenizer: Pick<Tokenizer, "piece">): object[] {
  return answers.map((answer) => {
    const critical = criticalOf(answer, tokenizer);
    const { rowId, sample, ids, text } = answer;
    const own = { row: rowId, sample, tokens: ids.length, answer: answer.answer, text };
    return critical === undefined ? own : { ...own, critical: { ...critical, check: answer.search.critical!.check } };
  });
}

const columns = {
  ...responseColumns,
  right_share: "list<float32>",
  critical: "list<uint8>",
  log_prob: "list<float32>",
} as const satisfies Record<string, ColumnType>;

/** Writes the answers with a number of each kind for every token: as responses that cDPO reads, with more columns. */
export function writeAnswers(path: string, { answers }: Findings): void {
  const contrasted = answers.some(({ scores }) => scores.logEstimate);
  const rows = answers.map(({ search, scores, ...answer }) => ({
    ...responseRow(answer),
    right_share: Float32Array.from(search.right),
    critical: Uint8Array.from(answer.ids, (_, t) => Number(t === search.critical?.place)),
    log_prob: scores.logProb,
    ...(contrasted && { log_estimate: scores.logEstimate }),
  }));
  writeArrow(path, { ...columns, ...(contrasted && { log_estimate: "list<float32>" as const }) }, rows);
}
