// npx tsx scripts/compare-tokenizers.ts
//
// Prints, for every tokenizer that test/fixtures/text/make_tokenizers.py built with Python's tokenizers, on how many hard
// texts this library gives the same ids, the same ids with special tokens around them, and the same decoded text; then
// the same for folders whose other files name tokens, as transformers reads them. Ends with 1 if any differs.
import { loadTokenizer } from "../src/text/index.ts";
import { UserError } from "../src/system/errors.ts";
import { encoded, inFolder, open, refused, table, type Encoded } from "../test/text/conformance.ts";
import { folders } from "../test/text/reference.ts";

interface Line {
  name: string;
  model: string;
  texts: number;
  /** Texts that have the same ids, the same with special tokens, and the same decoded text; undefined: refused. */
  same: readonly [number, number, number] | undefined;
}

const equal = (one: unknown, two: unknown): boolean => JSON.stringify(one) === JSON.stringify(two);

function compareTokenizer(name: string): Line {
  const { json, results } = table.tokenizers[name]!;
  const about = { name, model: json.model.type, texts: table.texts.length };
  if (refused.includes(name)) {
    requireRefusal(name);
    return { ...about, same: undefined };
  }
  const tokenizer = open(name);
  const ours = table.texts.map((text) => encoded(tokenizer, text));
  const count = (part: (of: Encoded) => unknown): number =>
    ours.filter((each, i) => equal(part(each), part(results[i]!))).length;
  return { ...about, same: [count((of) => of?.[0]), count((of) => of?.[1]), count((of) => of?.[2])] };
}

function requireRefusal(name: string): void {
  try {
    open(name);
  } catch (error) {
    if (error instanceof UserError && error.message.includes(name)) return;
    throw error;
  }
  throw new Error(`${name} is not refused`);
}

const temporary = folders();

function compareFolder(name: string): Line {
  const { files, results } = table.folders[name]!;
  const texts = Object.entries(files).map(([file, content]) => [file, JSON.stringify(content)] as const);
  const ours = inFolder(loadTokenizer(temporary.with(Object.fromEntries(texts))), name);
  const count = (part: 1 | 2 | 3): number => ours.filter((each, i) => equal(each[part], results[i]![part])).length;
  return { name, model: "folder", texts: results.length, same: [count(1), count(2), count(3)] };
}

function printed(lines: readonly Line[]): string {
  const cells = [
    ["tokenizer", "model", "texts", "same ids", "with special tokens", "same decoded text"],
    ...lines.map(({ name, model, texts, same }) => [name, model, String(texts), ...(same?.map(String) ?? ["refused"])]),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const lines = [
  ...Object.keys(table.tokenizers).map(compareTokenizer),
  ...Object.keys(table.folders).map(compareFolder),
];
temporary.remove();
const differing = lines.filter(({ same, texts }) => same !== undefined && same.some((count) => count !== texts));
const compared = lines.filter(({ same }) => same !== undefined);
const texts = compared.reduce((sum, line) => sum + line.texts, 0);
process.stdout.write(`${printed(lines)}

${compared.length} of ${lines.length} compared (${lines.length - compared.length} refused by name), on ${texts} texts in all: ${
  differing.length === 0
    ? "all the same"
    : `${differing.length} differ: ${differing.map(({ name }) => name).join(", ")}`
}.
`);
process.exitCode = differing.length === 0 ? 0 : 1;
