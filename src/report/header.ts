import { basename } from "node:path";
import { formatDuration, formatNumber } from "./format.ts";
import { type Html, html } from "./html.ts";
import type { Run } from "./run.ts";
import { type JsonObject, labelOf } from "./run-files.ts";
import { isRecord } from "../system/is-record.ts";

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
