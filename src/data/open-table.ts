import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { nearest } from "../config/nearest.ts";
import { UserError } from "../system/errors.ts";
import { downloadHint } from "../system/hub-id.ts";
import { fileReader, readerByExtension } from "./file-reader.ts";
import { readers } from "./readers/index.ts";
import type { Reader, ReaderOptions } from "./readers/reader.ts";

/** What can be read, for help and messages: "Arrow, JSON Lines, or …". */
export function readableData(describe: (reader: Reader) => string = ({ name }) => name): string {
  const names = readers.map(describe);
  return `${names.slice(0, -1).join(", ")}, or ${names.at(-1)!}`;
}

/** What is read and what is not, in whole sentences: for whoever is about to fetch data. */
export function readableNote(): string {
  const texts = readers.filter(({ isText }) => isText === true).map(({ name }) => name);
  return `What is read: ${readableData(endings)}; ${texts.join(" and ")} also with .gz or .zst behind the ending.`;
}

/**
 * Chooses the reader: of a file by its extension, or by its first bytes where the extension says nothing; of a folder by
 * the files in it.
 *
 * @throws UserError for what is missing, empty, or of no kind that is read
 */
export function readerOf(path: string, { split }: ReaderOptions = {}): Reader {
  if (!existsSync(path)) {
    const hint = downloadHint(path, "data");
    const near = neighbour(path);
    const meant = near === undefined ? {} : { fix: `Did you mean ${near}?` };
    const fix = hint === undefined ? meant : { fix: `${hint} ${readableNote()}` };
    throw new UserError("missing-file", "no such file or folder", { where: path, ...fix });
  }
  const stat = statSync(path);
  if (stat.isDirectory()) return folderReader(path);
  if (!stat.isFile())
    throw new UserError("not-a-file", "it is a pipe or a device, and data are read more than once", {
      where: path,
      fix: "Write its rows to a file first.",
    });
  if (split !== undefined) {
    throw new UserError("unknown-split", "a split is a part of a folder, but this is a file", {
      where: path,
      fix: `Leave out the split "${split}", or give the folder that save_to_disk wrote.`,
    });
  }
  const known = fileReader(path);
  if (known !== undefined) return known;
  const extension = extname(path).toLowerCase();
  throw new UserError("wrong-file-kind", `files of this kind (${extension || "no extension"}) are not read`, {
    where: path,
    fix: readableNote(),
  });
}

/** What of the same folder has the nearest name. */
function neighbour(path: string): string | undefined {
  const folder = dirname(path);
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return undefined;
  const near = nearest(basename(path), readdirSync(folder));
  return near === undefined ? undefined : join(folder, near);
}

function folderReader(path: string): Reader {
  const known = readers.find(({ markers = [] }) => markers.some((name) => existsSync(join(path, name))));
  if (known !== undefined) return known;
  const kinds = readers.filter(({ markers }) => markers !== undefined);
  const candidates = readdirSync(path).filter((name) => readerByExtension(name) !== undefined);
  const absent = kinds.flatMap(({ markers = [] }) => markers).join(" or ");
  throw new UserError(
    "wrong-file-kind",
    `the folder is not ${kinds.map(({ name }) => name).join(" or ")} (it has no ${absent})`,
    {
      where: path,
      fix: candidates.length > 0 ? `Give a file in it: ${candidates.slice(0, 5).join(", ")}.` : "Give a data file.",
    },
  );
}

const endings = ({ name, extensions }: Reader): string =>
  extensions.length === 0 ? name : `${name} (${extensions.join(", ")})`;
