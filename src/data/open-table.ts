import { closeSync, openSync, readSync, statSync } from "node:fs";
import { extname } from "node:path";
import { UserError } from "../system/errors.ts";
import { openArrow } from "./arrow/read.ts";
import { openJsonArray, openJsonLines } from "./jsonl.ts";
import type { Table } from "./table.ts";

const ARROW = new Set([".arrow", ".feather", ".ipc"]);
const JSON_LINES = new Set([".jsonl", ".ndjson", ".json"]);

/** Opens a file by its extension, or by its first bytes where the extension says nothing. */
export function openTable(path: string): Table {
  if (statSync(path).size === 0) throw new UserError("the file is empty", { where: path });
  const extension = extname(path).toLowerCase();
  const kind = ARROW.has(extension) ? "arrow" : JSON_LINES.has(extension) ? "json" : kindByContent(path, extension);
  if (kind === "arrow") {
    const arrow = openArrow(path);
    return { ...arrow, columns: [...arrow.columns.keys()], where: (index) => `${path}, row ${index}` };
  }
  return firstCharacter(path) === "[" ? openJsonArray(path) : openJsonLines(path);
}

function kindByContent(path: string, extension: string): "arrow" | "json" {
  const head = readHead(path, 8);
  if (head.toString("latin1", 0, 6) === "ARROW1" || head.readUInt32LE(0) === 0xffffffff) return "arrow";
  if (/[[{]/.test(firstCharacter(path))) return "json";
  throw new UserError(`files of this kind (${extension || "no extension"}) are not read`, {
    where: path,
    fix:
      extension === ".parquet"
        ? "Convert it once in Python: datasets.Dataset.from_parquet(path).save_to_disk(folder), then give the folder."
        : "Use an Arrow file, JSON Lines, or a folder written by Hugging Face's save_to_disk.",
  });
}

/** The first character that is neither white space nor a byte-order mark. */
function firstCharacter(path: string): string {
  return readHead(path, 4096)
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .trimStart()
    .charAt(0);
}

function readHead(path: string, bytes: number): Buffer {
  const head = Buffer.alloc(bytes);
  const fd = openSync(path, "r");
  try {
    readSync(fd, head, 0, bytes, 0);
    return head;
  } finally {
    closeSync(fd);
  }
}
