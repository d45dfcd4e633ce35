import { isRecord } from "../system/is-record.ts";
import { isModulePath, methodLabel } from "../config/method-choice.ts";
import { basename } from "node:path";

/** Keys of a configuration, dotted from the top, and their values. */
export type Settings = Readonly<Record<string, unknown>>;

/** A group in which dotted keys are groups: `{ "warmup.samples": 320 }` is `{ warmup: { samples: 320 } }`. */
export function undotted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(undotted);
  if (!isRecord(value)) return value;
  const result: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    const steps = key.split(".");
    let holder = result;
    for (const step of steps.slice(0, -1)) {
      if (!isRecord(holder[step])) holder[step] = {};
      holder = holder[step] as Record<string, unknown>;
    }
    holder[steps.at(-1)!] = undotted(inner);
  }
  return result;
}

/**
 * Settings as `key=value` texts that a configuration is read with; a group comes before keys inside it, so that a group
 * which is replaced does not take them with it.
 */
export function settingTexts(settings: Settings): string[] {
  const depth = (key: string): number => key.split(".").length;
  const entries = Object.entries(settings).toSorted(([a], [b]) => depth(a) - depth(b));
  return entries.map(([key, value]) => `${key}=${JSON.stringify(undotted(value))}`);
}

/** Keys whose value says by itself what it is. */
const telling = new Set(["method", "preset", "source", "form", "kind", "mode", "name"]);

/** A short name of what settings say, fit for a file: `sstoken-released-samples-320`, `ratio-0.4`. */
export function nameOfSettings(settings: Settings): string {
  const parts = Object.entries(settings).flatMap(([key, value]) => partsOf(key, value, true));
  const text = parts.join("-").replace(/[^A-Za-z0-9._-]+/g, "-");
  return (
    text
      .replace(/^[^A-Za-z0-9]+/, "")
      .slice(0, 64)
      .replace(/[-.]+$/, "") || "base"
  );
}

function partsOf(path: string, value: unknown, top: boolean): string[] {
  const key = path.split(".").at(-1)!;
  if (isRecord(value)) {
    const entries = Object.entries(value);
    const first = entries.filter(([inner]) => telling.has(inner));
    return [...first, ...entries.filter((entry) => !first.includes(entry))].flatMap(([inner, each]) =>
      partsOf(inner, each, false),
    );
  }
  if (Array.isArray(value)) return [key, ...value.flatMap((each) => partsOf(key, each, true))];
  if (typeof value !== "string") return [key, String(value)];
  const word = isModulePath(value) ? methodLabel(value) : basename(value);
  return top || telling.has(key) ? [word] : [key, word];
}
