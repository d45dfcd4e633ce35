import { formatDuration, terminalNumber, formatShare } from "./format.ts";
import { displayWidth } from "../system/visible-text.ts";

/** What a progress line tells. */
export interface ProgressState {
  readonly label: string;
  readonly step: number;
  readonly total: number;
  /** Numbers and texts in the order in which they give way when the line is short: the last one first. */
  readonly fields: Readonly<Record<string, number | string>>;
  readonly elapsedSeconds: number;
  /** Undefined while it cannot be told. */
  readonly secondsLeft: number | undefined;
}

/** The live line of a terminal, at most `width` columns: the bar gives way first, then fields from the end. */
export function liveLine(state: ProgressState, width: number): string {
  const { label, step, total } = state;
  const count = `${String(step).padStart(String(total).length)}/${total}`;
  const left = timeLeft(state);
  const fields = fieldTexts(state.fields);
  for (const bar of [24, 10, 0]) {
    const line = joined([label, bar > 0 ? progressBar(step / total, bar) : "", count, ...fields, left]);
    if (displayWidth(line) <= width) return line;
  }
  while (fields.length > 0) {
    fields.pop();
    const line = joined([label, count, ...fields, left]);
    if (displayWidth(line) <= width) return line;
  }
  return cut(joined([count, left]), width);
}

/** A line of a log: no bar, but the share done and the time used. */
export function logLine(state: ProgressState): string {
  const { label, step, total } = state;
  const share = formatShare(Math.floor((100 * step) / total) / 100);
  const time = `${formatDuration(state.elapsedSeconds)} elapsed`;
  return joined([label, `step ${step}/${total} (${share})`, ...fieldTexts(state.fields), time, timeLeft(state)]);
}

/** A bar of `width` columns. It is full only when everything is done. */
export function progressBar(share: number, width: number): string {
  const full = Math.max(0, Math.min(width, Math.floor(share * width + 1e-9)));
  return "━".repeat(full) + "─".repeat(width - full);
}

/** "loss 1.234", "kept 60 %" (shares are named kept or ...Share), "812 tokens/s" (units are named as such). */
export function fieldText(name: string, value: number | string): string {
  const share = /^kept$|share$/i.test(name);
  const text = typeof value === "string" ? value : share ? formatShare(value) : terminalNumber(value, 4);
  if (name.includes("/"))
    return `${typeof value === "number" && value >= 100 ? terminalNumber(Math.round(value)) : text} ${name}`;
  return `${name} ${text}`;
}

function fieldTexts(fields: ProgressState["fields"]): string[] {
  return Object.entries(fields).map(([name, value]) => fieldText(name, value));
}

function timeLeft({ step, total, secondsLeft }: ProgressState): string {
  return step >= total || secondsLeft === undefined ? "" : `${formatDuration(secondsLeft)} left`;
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("  ");
}

function cut(text: string, width: number): string {
  return displayWidth(text) <= width ? text : Array.from(text).slice(0, Math.max(0, width)).join("");
}
