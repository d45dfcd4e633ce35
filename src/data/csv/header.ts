import { parse } from "csv-parse/sync";
import { UserError } from "../../system/errors.ts";
import { namedTwice, repeatedName } from "../column-names.ts";

const NAMES: Readonly<Record<string, string>> = { ",": "commas", ";": "semicolons", "\t": "tabs" };

/**
 * The character between fields: a tab in files named .tsv, else the one of comma, semicolon and tab that the header has.
 *
 * @param head the first bytes of the file, after a byte-order mark
 */
export function delimiterOf(head: Uint8Array, extension: string, where: string): string {
  const line = unquoted(Buffer.from(head).toString("utf8"));
  const found = Object.keys(NAMES).filter((character) => line.includes(character));
  const named = extension === ".tsv" ? "\t" : undefined;
  if (named !== undefined && (found.includes(named) || found.length === 0)) return named;
  if (found.length === 0 && !line.includes("|")) return named ?? ","; // one column
  if (found.length === 1 && named === undefined) return found[0]!;
  const seen = [...found, ...(line.includes("|") ? ["|"] : [])].map((character) => NAMES[character] ?? "bars");
  const expected = named === undefined ? "one kind of separator" : "tabs, as its name says";
  throw new UserError("unsupported-file", `the header is not separated by ${expected}: it has ${seen.join(" and ")}`, {
    where,
    fix: 'Separate the fields by commas, and put a name that contains one in quotes: "like, this".',
  });
}

/** The first line without what stands in quotes. */
function unquoted(text: string): string {
  return /^(?:"[^"]*"|[^"\r\n])*/.exec(text)![0].replace(/"[^"]*"/g, "");
}

/** @throws UserError for names that are missing or occur twice, and for a line that seems to hold data */
export function columnNames(fields: readonly string[], where: string): string[] {
  // the index that pandas writes has no name; pandas gives it this one
  const names = fields.map((name, i) => (name === "" && i === 0 ? "Unnamed: 0" : name));
  const twice = repeatedName(names);
  if (twice !== undefined && twice !== "") throw namedTwice(twice, { where });
  const blank = names.indexOf("");
  const number = names.find((name) => name.trim() !== "" && Number.isFinite(Number(name)));
  if (blank < 0 && number === undefined) return names;
  const what = blank < 0 ? `has a number (${number})` : `has no name for column ${blank + 1}`;
  throw new UserError("unsupported-file", `the first line ${what}: it must hold the names of the columns`, {
    where,
    fix: "Put a line of names before the rows: prompt,response.",
  });
}

/** The fields of each record; quotes and ends of lines were checked before. */
export function parseRecords(bytes: Buffer, delimiter: string): string[][] {
  return parse(bytes, {
    delimiter,
    record_delimiter: ["\r\n", "\n", "\r"],
    skip_empty_lines: true,
    relax_column_count: true,
  });
}
