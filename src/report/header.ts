import { basename } from "node:path";
import { resultOf } from "./compare-arms.ts";
import { formatDuration, formatFixed, formatNumber, formatShare } from "./format.ts";
import { type Html, html } from "./html.ts";
import type { Run } from "./read-run.ts";
import { type JsonObject, labelOf } from "./run-files.ts";
import { isRecord } from "../system/is-record.ts";

/** Of a fine-tuning run. */
export function headOf(run: Run): Head {
  const data = namesOf(groupOf(run.config, "data")["train"]);
  const title = data === undefined ? run.main.name : `${run.main.name} on ${data}`;
  return { title, finding: findingOf(run), facts: factsOf(run) };
}

/** A fact about a run; left out if its value is undefined. */
export type Fact = readonly [name: string, value: string | undefined];

/** What a report begins with. */
export interface Head {
  readonly title: string;
  /** The main finding, in a sentence. */
  readonly finding: string;
  /** What was run. */
  readonly facts: readonly Fact[];
}

export function headerHtml({ title, finding, facts }: Head, command: string | undefined): Html {
  const given = facts.filter((fact): fact is [string, string] => fact[1] !== undefined);
  return html`<header>
    <h1>${title}</h1>
    <p>${finding}</p>
    <dl class="facts">
      ${given.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${labelOf(value, 300)}</dd>
          </div> `,
      )}
      ${
        command === undefined
          ? undefined
          : html`<div class="wide">
              <dt>Command</dt>
              <dd><code>${labelOf(command, 2000)}</code></dd>
            </div> `
      }
    </dl>
  </header>`;
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

/** Model and data. */
export function startFacts({ config }: Run): Fact[] {
  const data = groupOf(config, "data");
  return [
    ["Model", namesOf(config["model"])],
    ["Data", namesOf(data["train"])],
    ["Held-out data", namesOf(data["validation"])],
  ];
}

/** Engine, time, memory, date. */
export function endFacts({ main, time, memoryMB }: Run): Fact[] {
  return [
    ["Engine", main.engine],
    ["Time", Number.isFinite(main.seconds) ? formatDuration(main.seconds) : undefined],
    ["Memory, at most", memoryMB > 0 ? `${formatNumber(Math.round(memoryMB))} MB` : undefined],
    ["Ended", time && `${time.toISOString().slice(0, 16).replace("T", " ")} UTC`],
  ];
}

/** A number or a word of a configuration. */
export function plain(value: unknown): string | undefined {
  return typeof value === "number" || typeof value === "string" ? String(value) : undefined;
}

/** A learning rate with its schedule, of a group of a configuration. */
export function rateOf(training: JsonObject): string | undefined {
  const rate = training["learningRate"];
  if (typeof rate !== "number") return undefined;
  return `${rate}${training["schedule"] ? `, ${plain(training["schedule"])}` : ""}`;
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

/** Rows of a step, of a run's configuration: `16`, `4 packed rows`. */
export function batchOf(config: JsonObject): string | undefined {
  const batch = plain(groupOf(config, "training")["batchSize"]);
  return batch !== undefined && groupOf(config, "data")["packing"] === true ? `${batch} packed rows` : batch;
}

/** The first options beside a group's method. */
export function optionsOf(group: JsonObject): string[] {
  return Object.entries(group)
    .filter(([key, value]) => key !== "method" && ["number", "string", "boolean"].includes(typeof value))
    .map(([key, value]) => `${key} ${String(value)}`)
    .slice(0, 6);
}

/** The last parts of one path or several. */
export function namesOf(value: unknown): string | undefined {
  const paths = (Array.isArray(value) ? (value as unknown[]) : [value]).filter((path) => typeof path === "string");
  const names = paths.slice(0, 3).map((path) => labelOf(basename(path)));
  return names.length === 0 ? undefined : names.join(", ") + (paths.length > 3 ? `, and ${paths.length - 3} more` : "");
}

/** A group of a configuration; empty if it has none of that name. */
export function groupOf(config: JsonObject, key: string): JsonObject {
  const group = config[key];
  return isRecord(group) ? group : {};
}

/** What a reader must know before the numbers: warnings, arms that are missing, runs that were cut off. */
export function warningsOf(run: Run, unit = "step"): Html | undefined {
  const { main, arms, missingArms, config } = run;
  const steps = groupOf(config, "training")[`${unit}s`];
  const planned = typeof steps === "number" ? ` of ${formatNumber(steps)}` : "";
  const sentences = [
    ...[main, ...arms]
      .filter(({ finished }) => !finished)
      .map(
        ({ name, metrics }) =>
          `${name} has not come to its end; what is shown is as of ${unit} ${formatNumber(metrics.at(-1)?.step ?? 0)}${planned}.`,
      ),
    ...missingArms.map(
      (name) => `${name}: the configuration names this arm, but it has no results here (not run yet?).`,
    ),
    ...main.warnings,
    ...arms.flatMap((arm) =>
      arm.warnings.filter((text) => !main.warnings.includes(text)).map((text) => `${arm.name}: ${text}`),
    ),
  ];
  if (sentences.length === 0) return undefined;
  const shown = sentences.slice(0, 30).map((text) => html`<li>${text}</li>`);
  const more = sentences.length > 30 ? html`<li>… and ${sentences.length - 30} more</li>` : undefined;
  return html`<aside class="warnings">
    <h2>${sentences.length === 1 ? "A warning" : "Warnings"}</h2>
    <ul>
      ${shown}${more}
    </ul>
  </aside>`;
}
