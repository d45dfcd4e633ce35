import { resolve } from "node:path";
import type { Catalogue, JsonSchema } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { isRecord } from "../system/is-record.ts";
import { explain, type Explanation } from "./explain-entry.ts";
import { importModule, loadEntry, withArticle } from "./load-entry.ts";
import { methodLabel } from "./method-choice.ts";

/**
 * Everything known of a rule, a preference form, an eviction score or a reward in a module of the user's own. What an entry of a
 * catalogue says of itself the module may export as well: `summary`, `formula`, `paper`, `notes`, and `options`, the
 * JSON Schema of each option.
 *
 * @param path relative to the current folder
 * @throws UserError for a missing file, a module that fails to load, or one that exports nothing of any catalogue
 */
export async function explainModule(path: string, catalogues: readonly Catalogue<unknown>[]): Promise<Explanation> {
  const exported = await importModule(path, "module");
  const catalogue = catalogues.find(({ own }) => own.create in exported || own.value in exported);
  if (catalogue === undefined) {
    const names = catalogues.map(({ own }) => `\`${own.value}\` or \`${own.create}\``).join(", ");
    throw new UserError("invalid-module", "the module exports no rule, form, score or reward", {
      where: resolve(path),
      fix: `Export one of them: ${names}.`,
    });
  }
  const { kind, own } = catalogue;
  const made = own.create in exported;
  const { paper, notes, options } = exported;
  const said = (name: string, otherwise: string): string => (name in exported ? String(exported[name]) : otherwise);
  const explanation = explain({
    name: methodLabel(path),
    summary: said("summary", `${withArticle(kind)} of your own: ${made ? `${own.create}(options)` : own.value}.`),
    formula: said("formula", "not said: the module exports no `formula`"),
    ...(paper !== undefined && { paper: String(paper) }),
    options: made && isRecord(options) ? withDescriptions(options as Record<string, JsonSchema>) : {},
    notes: [...(Array.isArray(notes) ? notes.map(String) : []), ...(await needsNote(path, catalogue))],
    create: () => undefined,
  });
  if (!made || isRecord(options)) return explanation;
  const optionsUnsaid = `Its options are not said: export the JSON Schema of each that ${own.create} takes as \`options\`.`;
  return { ...explanation, optionsUnsaid };
}

/** An option without a description has none in words either. */
function withDescriptions(options: Readonly<Record<string, JsonSchema>>): Record<string, JsonSchema> {
  return Object.fromEntries(
    Object.entries(options)
      .filter(([, schema]) => isRecord(schema))
      .map(([name, schema]) => [name, { ...schema, description: schema.description ?? "" }]),
  );
}

/** What it reads of every token. One whose options cannot all be left out is not made here. */
async function needsNote(path: string, catalogue: Catalogue<unknown>): Promise<string[]> {
  const made = await loadEntry(path, {}, catalogue).catch((error: unknown) => {
    if (error instanceof UserError) return undefined;
    throw error;
  });
  const { needs } = (made ?? {}) as { needs?: unknown };
  return Array.isArray(needs) && needs.length > 0 ? [`It reads ${needs.join(", ")}.`] : [];
}
