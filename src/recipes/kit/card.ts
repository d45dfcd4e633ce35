import { relative } from "node:path";

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

export function shownFiles(files: string | readonly string[]): string {
  return [files].flat().map(shownPath).join(", ");
}
