import { namesOf } from "../config/catalogue.ts";
import { explain, type Explanation } from "../config/explain-entry.ts";
import { explainModule } from "../config/explain-module.ts";
import { isModulePath } from "../config/method-choice.ts";
import { nearest } from "../config/nearest.ts";
import type { Catalogue } from "../contract/index.ts";
import { evictionScores } from "../eviction/catalogue.ts";
import { preferenceForms } from "../preference/catalogue.ts";
import { rewards } from "../reward/catalogue.ts";
import { rules } from "../selection/catalogue.ts";
import { UserError } from "../system/errors.ts";
import { defineCommand } from "./command.ts";
import { aligned, labelled, wrapped } from "./layout.ts";

const width = 100;

/** Everything that has a name in a configuration and a file of its own. */
const catalogues: readonly Catalogue<unknown>[] = [rules, preferenceForms, evictionScores, rewards];

/** `tokensift explain`. */
export const explainMethod = defineCommand({
  usage: "explain [METHOD|FILE.ts|FILE.js] [--json]",
  summary:
    "Explains a selection rule, a preference form, an eviction score or a reward, of yours too; without METHOD, lists all.",
  flags: { json: { type: "boolean", description: "As JSON." } },
  positionals: 1,
  run: async (values, { stdout }, [method]) => {
    if (method === undefined) {
      stdout.write(values.json ? json(catalogues.flatMap(listed)) : catalogues.map(listText).join("\n") + more);
      return;
    }
    const own = isModulePath(method);
    const explanation = own ? await explainModule(method, catalogues) : explain(entryOf(method));
    stdout.write(values.json ? json(explanation) : explanationText(explanation));
  },
});

const more = "\ntokensift explain METHOD tells more.\n";
const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

function entryOf(method: string): Catalogue<unknown>["entries"][number] {
  const found = catalogues.flatMap(({ entries }) => entries).find(({ name }) => name === method);
  if (found !== undefined) return found;
  const near = nearest(method, catalogues.flatMap(namesOf));
  const all = catalogues.map((each) => `${each.title}: ${namesOf(each).join(", ")}.`).join("\n  ");
  const fix = near === undefined ? all : `Did you mean ${near}?`;
  throw new UserError("unknown-method", `there is no method ${JSON.stringify(method)}`, { fix });
}

const listed = ({ kind, entries }: Catalogue<unknown>) =>
  entries.map(({ name, summary }) => ({ kind, method: name, summary }));

function listText(catalogue: Catalogue<unknown>): string {
  const rows = listed(catalogue).map(({ method, summary }) => [method, summary]);
  return `${catalogue.title}\n\n${aligned(rows)}`;
}

function explanationText(explanation: Explanation): string {
  const { method, summary, formula, paper, presets, options, differences, notes } = explanation;
  const { optionsUnsaid = "It has no options." } = explanation;
  const head = [["formula", formula] as const, ...(paper === undefined ? [] : [["paper", paper] as const])];
  const preset = [["preset", `Values of the options below: ${presets.join(", ")}. Default: recommended.`] as const];
  const optionRows = options.map(({ name, default: value, description }) => {
    return [name, `${description} Default: ${value}.`] as const;
  });
  return [
    `${wrapped(`${method}: ${summary}`, width)}\n\n${labelled(head, width)}`,
    optionRows.length === 0
      ? `${wrapped(optionsUnsaid, width)}\n`
      : `Options\n\n${labelled([...(presets.length === 0 ? [] : preset), ...optionRows], width)}`,
    ...(differences.length === 0
      ? []
      : [`Where paper, program and this library differ\n\n${differencesText(differences)}`]),
    ...(notes.length === 0
      ? []
      : [`Notes\n\n${notes.map((note) => `- ${wrapped(note, width - 2, "  ")}\n`).join("")}`]),
  ].join("\n");
}

function differencesText(differences: Explanation["differences"]): string {
  return differences
    .map(({ what, paper, released, ours, option, source }) => {
      const entries = [
        ["  paper", paper],
        ["  program", released],
        ["  ours", ours],
        ...(option === undefined ? [] : [["  option", option]]),
        ["  source", source],
      ] as [string, string][];
      return `${what}\n${labelled(entries, width)}`;
    })
    .join("\n");
}
