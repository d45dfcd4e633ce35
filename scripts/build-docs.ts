// npm run build:docs
//
// Writes what follows from the code's own lists: docs/rules.md and docs/methods.md, the list of rules in README.md, the
// recipes in docs/configuration.md, the readers and families in docs/data-and-models.md.
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { catalogueTable, markdownTable, type TableColumn } from "../src/config/catalogue-table.ts";
import { explain } from "../src/config/explain-entry.ts";
import type { Difference, Entry, TokenRule } from "../src/contract/index.ts";
import { readers } from "../src/data/readers/index.ts";
import { evictionScores } from "../src/eviction/catalogue.ts";
import type { EvictionScore } from "../src/eviction/key-score.ts";
import { families } from "../src/model/families/index.ts";
import { preferenceForms } from "../src/preference/catalogue.ts";
import { recipes } from "../src/recipes/list.ts";
import { advantageName } from "../src/recipes/oreal/objective.ts";
import { outcomePresets, type OutcomeSettings } from "../src/reward/outcome-presets.ts";
import { rewards } from "../src/reward/catalogue.ts";
import { rules } from "../src/selection/catalogue.ts";

const root = resolve(import.meta.dirname, "..");

/** The generated pages by path from the root of the checkout; of those that people write, a part is generated. */
export function generatedPages(): Record<string, string> {
  return {
    "README.md": withParts("README.md", { rules: `${listed(rules.entries.map(({ name }) => name))}.\n` }),
    "docs/configuration.md": withParts("docs/configuration.md", { recipes: recipeTable() }),
    "docs/data-and-models.md": withParts("docs/data-and-models.md", {
      "readers and families": readTable(),
      families: familyTable(),
    }),
    "docs/rules.md": rulesPage(),
    "docs/methods.md": methodsPage(),
  };
}

/** A page with each part between its comments written anew. */
function withParts(path: string, parts: Readonly<Record<string, string>>): string {
  let page = readFileSync(join(root, path), "utf8");
  for (const [part, text] of Object.entries(parts)) {
    const place = new RegExp(`(?<=<!-- ${part}, written by npm run build:docs -->\\n\\n).*?(?=\\n<!-- end -->)`, "s");
    if (!place.test(page)) throw new Error(`${path}: there is no place for the ${part}`);
    page = page.replace(place, () => text);
  }
  return page;
}

function recipeTable(): string {
  const rows = recipes.map(({ name }) => [
    `[\`${name}\`](recipes/${name}.md)`,
    `[its groups](recipes/${name}.md#configuration)`,
    `[${name}.schema.json](../configs/schema/${name}.schema.json)`,
  ]);
  return markdownTable([["recipe", "keys", "schema"], ...rows]);
}

/** What files are read: data by their endings, models by their family. */
function readTable(): string {
  const data = readers.map(({ name, extensions, markers = [] }) => ["data", name, listed([...extensions, ...markers])]);
  const models = families.map(({ modelType, models }) => [
    "model",
    `\`${modelType}\`: ${models}, …`,
    listed([`model_type: ${modelType}`]),
  ]);
  return markdownTable([["what", "read", "told by"], ...data, ...models]);
}

/** What each family computes, and under which name GGUF files hold it. */
function familyTable(): string {
  const rows = families.map(({ modelType, features, gguf, ggufWriting }) => {
    const { architecture } = gguf ?? ggufWriting ?? {};
    return [`\`${modelType}\``, features, architecture === undefined ? "–" : `\`${architecture}\``];
  });
  return markdownTable([["family", "what it has beside a Llama", "in GGUF files"], ...rows]);
}

const note = "<!-- Written by `npm run build:docs`. Edit the catalogue, not this page. -->";

function rulesPage(): string {
  const columns: TableColumn<Entry<TokenRule>>[] = [
    ["needs", ({ create }) => listed(create({}).needs.map(signalName))],
    ["ranks over", ranksOver],
  ];
  return `${note}

# Selection rules

A rule gives every response token a weight at every step. \`selection.method\` names one, the other keys of \`selection\`
are its options. A rule of your own is a file: see [Your own rule](recipes/finetune.md#your-own-rule).

${catalogueTable(rules, columns)}
Signals: \`nll\` is a token's loss under the model in training, \`historyNll\` under an earlier state of it (\`history\`),
\`referenceNll\` under another model (\`reference\`); \`promptAttention\` is the share of a token's attention that lies on
the prompt; \`entropy\` is that of the distribution that the token is drawn from, \`entropyTop20\` that of its 20 likeliest
tokens, \`concentration\` the sum of its squared probabilities; \`column:NAME\` is a per-token column of the data. A rule that ranks keeps a share of the tokens with the highest
score: of each response, of the whole optimizer step, or (in \`tokensift score\`) of the dataset.

${rules.entries.map(sectionOf).join("\n")}`;
}

function methodsPage(): string {
  const learns = ["learns from", ({ learns }: (typeof preferenceForms.entries)[number]) => learns] as const;
  const reads = ["reads", ({ create }: Entry<EvictionScore>) => create({}).reads] as const;
  return `${note}

# Preference forms, outcome presets, rewards, eviction scores

## Preference forms

What cDPO's recipe can learn from pairs of answers. \`align.objective.method\` names one, the other keys of the group are
its options. A form of your own is a file: see [Your own form](recipes/cdpo.md#your-own-form).

${catalogueTable(preferenceForms, [learns])}
${preferenceForms.entries.map((entry) => sectionOf(entry)).join("\n")}
## Outcome presets

What OREAL's recipe starts from: \`objective.preset\`, or a name in \`compare\`. \`paper\` and \`released\` are OREAL as its
paper ([2502.06781](https://arxiv.org/abs/2502.06781)) and its program have it, \`recommended\` is the default, the others
are baselines. Every other key of \`objective\` changes one setting of the preset.

${presetTable()}
## Rewards

What OREAL's recipe rewards answers for: \`rewards\` lists some, each a name in \`method\`, its \`weight\` in the sum and its
options. A reward of your own is a file: see [Your own reward](recipes/oreal.md#your-own-reward).

${catalogueTable(rewards)}
${rewards.entries.map((entry) => sectionOf(entry)).join("\n")}
## Eviction scores

By what a full cache chooses the entries that it keeps: the baselines of Attention-Gate's recipe
(\`evaluation.baselines\`). A score of your own is a file: see [Your own score](recipes/attention-gate.md#your-own-score).

${catalogueTable(evictionScores, [reads])}
${evictionScores.entries.map((entry) => sectionOf(entry)).join("\n")}`;
}

/** Each setting of the outcome presets that is not the same in all. */
function presetTable(): string {
  const presets = Object.entries<OutcomeSettings>(outcomePresets);
  const settings: [string, (settings: OutcomeSettings) => unknown][] = [
    ["rewards", ({ rewards }) => rewards.range],
    ["advantage", ({ advantage }) => advantageName(advantage)],
    ["keep", ({ keep }) => keep],
    ["weights", ({ weights }) => (weights === "one" ? "none" : "learned")],
    ["reference", ({ reference, policy }) => (policy.klCoefficient === 0 ? "–" : reference)],
    ["positives", ({ policy }) => policy.positives],
    ["positiveScale", ({ policy }) => policy.positiveScale],
    ["negativeCoefficient", ({ policy }) => policy.negativeCoefficient],
    ["klCoefficient", ({ policy }) => policy.klCoefficient],
    ["kl", ({ policy }) => (policy.klCoefficient === 0 ? "–" : policy.kl)],
    ["normalizer", ({ policy }) => policy.normalizer ?? "tokens"],
    ["denominators", ({ policy }) => policy.denominators ?? "by-sign"],
    ["clip", ({ policy }) => policy.clip ?? "none"],
    ["clipLow", ({ policy }) => policy.clipLow ?? "–"],
    ["clipHigh", ({ policy }) => policy.clipHigh ?? "–"],
  ];
  const rows = [
    ["key", ...presets.map(([name]) => `\`${name}\``)],
    ...settings.map(([key, valueOf]) => [`\`${key}\``, ...presets.map(([, preset]) => String(valueOf(preset)))]),
  ];
  return markdownTable(rows);
}

/** All that is known of an entry, below a heading of its own. */
function sectionOf(entry: Entry<unknown>): string {
  const { method, summary, formula, presets, options, differences, notes } = explain(entry);
  const lines = options.map(
    ({ name, default: value, description }) => `- \`${name}\` (${verbatim(value)}): ${description}\n`,
  );
  return [
    `### ${method}\n\n${summary}\n\n\`\`\`text\n${formula}\n\`\`\`\n`,
    presets.length > 0 && `Presets: ${listed(presets)}; \`recommended\` is the default.\n`,
    options.length > 0 && `Options, with their defaults:\n\n${lines.join("")}`,
    differences.length > 0 && `Where paper, program and this library differ:\n\n${differences.map(item).join("")}`,
    notes.length > 0 && notes.map((text) => `- ${text}\n`).join(""),
  ]
    .filter((part) => part !== false)
    .join("\n");
}

function item({ what, paper, released, ours, option, source }: Difference): string {
  const switched = option === undefined ? "" : ` Option: \`${option}\`.`;
  return `- **${what}**. Paper: ${paper}. Program: ${released}. Here: ${ours}.${switched} Source: ${source}.\n`;
}

/** A value in which Markdown would see more than text, as code. */
const verbatim = (value: string): string => (/[*<\\]/.test(value) ? `\`${value}\`` : value);
const listed = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(", ");
const signalName = (name: string): string => (name.startsWith("column:") ? "column:NAME" : name);

/** The places in which a rule that ranks can do so, its default first. */
function ranksOver({ options, create }: Entry<TokenRule>): string {
  const { scope } = create({});
  const choices = (options["scope"]?.enum ?? []) as readonly string[];
  if (choices.length > 0) return [scope, ...choices.filter((choice) => choice !== scope)].join(", ");
  return options["ratio"] === undefined ? "" : scope;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  for (const [path, text] of Object.entries(generatedPages())) writeFileSync(join(root, path), text);
}
