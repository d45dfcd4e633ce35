import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, isAbsolute } from "node:path";

/**
 * Puts a run into a Markdown file, under its command as heading: in place of an earlier run of the same command, else
 * before the section "Notes", else at the end.
 */
export function recordRun(path: string, command: string, lines: readonly string[], tables: readonly string[]): void {
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  const sections = text.split(/^(?=## )/m);
  const heading = `## ${command}\n`;
  const section = [heading, ...lines.map((line) => `- ${line}`), "", ...tables.flatMap((table) => [table, ""])].join(
    "\n",
  );
  const place = sections.findIndex((each) => each.startsWith(heading));
  const notes = sections.findIndex((each) => each.startsWith("## Notes"));
  if (place >= 0) sections[place] = `${section}\n`;
  else sections.splice(notes < 0 ? sections.length : notes, 0, `${section}\n`);
  writeFileSync(path, `${sections.join("").trimEnd()}\n`);
}

/** The command line without the flags that do not change what is measured; of files elsewhere only their names. */
export function commandOf(name: string, argv: readonly string[]): string {
  const kept = argv.filter((word, i) => {
    const flag = /^--(python|json)(=|$)/.exec(word);
    return flag === null && word !== "--record" && !/^--(python|json)$/.test(argv[i - 1] ?? "");
  });
  const words = kept.map((word) => (isAbsolute(word) ? basename(word) : word));
  return ["npm run bench --", name, ...words].join(" ");
}
