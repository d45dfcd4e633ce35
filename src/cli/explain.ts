import { nearest } from "../config/index.ts";
import { UserError } from "../system/errors.ts";
import { catalogue, explain, type Explanation } from "../selection/index.ts";
import { defineCommand } from "./command.ts";
import { aligned, labelled, wrapped } from "./layout.ts";

const width = 100;

/** `tokensift explain`. */
export const explainRule = defineCommand({
  usage: "explain [METHOD] [--json]",
  summary: "Explains a selection rule; without METHOD, lists all.",
  flags: { json: { type: "boolean", description: "As JSON." } },
  positionals: 1,
  run: (values, { stdout }, [method]) => {
    const names = Object.keys(catalogue);
    if (method === undefined) {
      const rules = names.map((name) => explain(name));
      stdout.write(values.json ? json(rules.map(({ method, summary }) => ({ method, summary }))) : listText(rules));
      return Promise.resolve();
    }
    if (!names.includes(method)) throw unknown(method, names);
    const explanation = explain(method);
    stdout.write(values.json ? json(explanation) : explanationText(explanation));
    return Promise.resolve();
  },
});

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

function unknown(method: string, names: readonly string[]): UserError {
  const near = nearest(method, names);
  const fix = near === undefined ? `The rules are ${names.join(", ")}.` : `Did you mean ${near}?`;
  return new UserError(`there is no rule ${JSON.stringify(method)}`, { fix });
}

function listText(rules: readonly Explanation[]): string {
  return `${aligned(rules.map(({ method, summary }) => [method, summary]))}\ntokensift explain METHOD tells more.\n`;
}

function explanationText({ method, summary, formula, paper, options, differences, notes }: Explanation): string {
  const head = [["formula", formula] as const, ...(paper === undefined ? [] : [["paper", paper] as const])];
  const presets = Object.keys(catalogue[method]!.presets ?? {});
  const preset = [["preset", `Values of the options below: ${presets.join(", ")}. Default: recommended.`] as const];
  const optionRows = options.map(({ name, default: value, description }) => {
    return [name, `${description} Default: ${value}.`] as const;
  });
  return [
    `${wrapped(`${method}: ${summary}`, width)}\n\n${labelled(head, width)}`,
    optionRows.length === 0
      ? "It has no options.\n"
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
