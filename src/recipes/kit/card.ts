import { relative } from "node:path";
import type { DataConfig } from "../../config/index.ts";

/** A card for the model's page on a hub: a title, facts as a list, the command. */
export function cardText(title: string, facts: readonly string[], command: string): string {
  return [
    "---",
    "library_name: transformers",
    "tags: [tokensift]",
    "---",
    "",
    `# ${title}`,
    "",
    ...facts.map((fact) => `- ${fact}`),
    "",
    "```",
    command,
    "```",
    "",
  ].join("\n");
}

/** A path as seen from the current folder. */
export function shownPath(path: string): string {
  return relative(process.cwd(), path) || ".";
}

/** Data as a configuration names them: a path, or with `{ path, weight, … }` what holds for it. */
export function shownFiles(files: DataConfig["train"]): string {
  return [files]
    .flat()
    .map((item) => {
      if (typeof item === "string") return shownPath(item);
      const { path, ...settings } = item;
      return Object.keys(settings).length === 0 ? shownPath(path) : `${shownPath(path)} ${JSON.stringify(settings)}`;
    })
    .join(", ");
}
