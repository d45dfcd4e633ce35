import { resultOf } from "../../report/compare-arms.ts";
import { formatFixed, formatNumber, formatShare } from "../../report/format.ts";
import {
  batchOf,
  endFacts,
  type Fact,
  groupOf,
  type Head,
  namesOf,
  optionsOf,
  plain,
  rateOf,
  startFacts,
} from "../../report/header.ts";
import type { Run } from "../../report/run.ts";

/** What the page of a fine-tuning run begins with. */
export function headOf(run: Run): Head {
  const data = namesOf(groupOf(run.config, "data")["train"]);
  const title = data === undefined ? run.main.name : `${run.main.name} on ${data}`;
  return { title, finding: findingOf(run), facts: factsOf(run) };
}

function findingOf({ main }: Run): string {
  const { before, after } = resultOf(main);
  const last = main.metrics.at(-1);
  const sum = (name: string) => main.metrics.reduce((total, { value }) => total + (value(name) || 0), 0);
  const share = sum("keptTokens") / sum("responseTokens");
  const steps = last ? `${formatNumber(last.step)} ${last.step === 1 ? "step" : "steps"}` : "no step";
  const trained = Number.isFinite(share) ? `, training on ${formatShare(share)} of the response tokens` : "";
  if (!before || !after || !Number.isFinite(before.loss + after.loss)) return `${main.name} ran ${steps}${trained}.`;
  const [a, b] = [formatFixed(before.loss, 3), formatFixed(after.loss, 3)];
  const went = a === b ? `stayed at ${a}` : `${after.loss < before.loss ? "fell" : "rose"} from ${a} to ${b}`;
  return `Held-out loss ${went} in ${formatNumber(after.step)} steps${trained}.`;
}

function factsOf(run: Run): Fact[] {
  const { main, config } = run;
  const [training, fresh] = ["training", "fresh"].map((key) => groupOf(config, key));
  const freshModel =
    fresh!["layers"] === undefined
      ? undefined
      : `fresh weights, ${plain(fresh!["layers"])} layers of ${plain(fresh!["width"])}`;
  const steps = main.metrics.at(-1)?.step;
  const trained = main.metrics.at(-1)?.value("trainedTokens");
  const batch = batchOf(config);
  const [[, model], ...data] = startFacts(run) as [Fact, ...Fact[]];
  return [
    ["Method", [main.method, ...optionsOf(groupOf(config, "selection"))].join(", ")],
    ["Model", model ?? freshModel],
    ...data,
    ["Seed", plain(training!["seed"])],
    [
      "Steps",
      steps === undefined ? undefined : `${formatNumber(steps)}${batch === undefined ? "" : `, batch of ${batch}`}`,
    ],
    ["Learning rate", rateOf(training!)],
    ["Trained tokens", trained !== undefined && Number.isFinite(trained) ? formatNumber(trained) : undefined],
    ...endFacts(run),
  ];
}
