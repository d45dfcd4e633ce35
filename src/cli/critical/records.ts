import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { diffConfigs } from "../../config/diff.ts";
import { openKeptLines } from "../../data/kept-lines.ts";
import type { AnswerPrefix } from "../../evaluation/critical/find-critical-tokens.ts";
import { againOrOn, writing } from "../../system/disk-error.ts";
import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import { makeFolder } from "../../system/make-folder.ts";
import { lockRun } from "../../training/run-lock.ts";

const recordsFile = "records.jsonl";
const lockFile = ".lock";

/** What the command leaves in its folder. */
export const files = ["results.json", "table.txt", "report.html", "answers.arrow", recordsFile] as const;

/** An answer that was drawn. */
export interface AnswerRecord {
  readonly row: number;
  readonly sample: number;
  /** Names what it answers. */
  readonly of: string;
  readonly ids: readonly number[];
  readonly finished: boolean;
}

/** How many continuations of an answer's first tokens were right. */
export interface RolloutRecord extends Pick<AnswerPrefix, "kept" | "purpose"> {
  readonly row: number;
  readonly sample: number;
  /** Names prompt, answer and reference. */
  readonly of: string;
  readonly right: number;
}

type Line = AnswerRecord | RolloutRecord;

/** What was drawn and counted, of this and earlier processes. Without a line it leaves no file. */
export interface Records extends Disposable {
  answer(of: Pick<AnswerRecord, "row" | "sample" | "of">): AnswerRecord | undefined;
  right(of: Omit<RolloutRecord, "right">): number | undefined;
  add(line: Line): void;
}

/** Files of the command, and what a process that was killed while it wrote one has left. */
const isOurs = (name: string): boolean =>
  files.some((file) => name === file || (name.startsWith(`${file}.`) && name.endsWith(".tmp")));

/** What is done with an earlier run in the folder. */
export interface FolderMode {
  readonly resume: boolean;
  readonly overwrite: boolean;
}

/**
 * Checks that the folder can take the command's files, before anything is computed.
 * @throws UserError for a folder that holds something else, an earlier run without a word about it, or no run to resume
 */
export function requireFolder(folder: string, { resume, overwrite }: FolderMode): void {
  if (resume && overwrite)
    throw new UserError("conflicting-options", "--resume goes on and --overwrite begins anew", {
      fix: "Give one of them.",
    });
  const entry = statSync(folder, { throwIfNoEntry: false });
  if (entry !== undefined && !entry.isDirectory())
    throw new UserError("not-a-folder", "this is a file", { where: folder, fix: "Give --out a folder's name." });
  const there = entry === undefined ? [] : readdirSync(folder).filter((name) => !name.startsWith(lockFile));
  const foreign = there.find((name) => !isOurs(name));
  if (foreign !== undefined)
    throw new UserError("foreign-files", `this folder holds other files: ${foreign}`, {
      where: folder,
      fix: "Name a new folder.",
    });
  if (there.length > 0 && !resume && !overwrite)
    throw new UserError("file-exists", "an earlier run wrote into this folder", {
      where: folder,
      fix: "Give --resume to go on with it, --overwrite to replace it, or another name.",
    });
  if (resume && !there.includes(recordsFile))
    throw new UserError("no-run", "there is nothing to resume", { where: folder, fix: "Leave out --resume." });
}

/**
 * Opens the records in a folder, and keeps other processes out of it.
 * @param about what decides a record, beside what the record names itself
 * @throws UserError where records were made otherwise
 */
export function openRecords(folder: string, about: Readonly<Record<string, unknown>>, mode: FolderMode): Records {
  writing(folder, () => makeFolder(folder), againOrOn);
  const lock = lockRun(join(folder, lockFile));
  try {
    for (const name of readdirSync(folder).filter(isOurs))
      if (mode.overwrite || name.endsWith(".tmp")) rmSync(join(folder, name), { force: true });
    const path = join(folder, recordsFile);
    const header = { format: "tokensift critical tokens", ...(JSON.parse(JSON.stringify(about)) as object) };
    if (existsSync(path)) requireSame(path, header);
    const fix = "Delete the file: its continuations are drawn again.";
    const { earlier, add, close } = openKeptLines<Line>(path, header, { of: lineOf, noun: "a record", fix });
    const answers = new Map(earlier.flatMap((line) => ("right" in line ? [] : [[answerKey(line), line]])));
    const counts = new Map(earlier.flatMap((line) => ("right" in line ? [[countKey(line), line.right]] : [])));
    return {
      answer: (of) => answers.get(answerKey(of)),
      right: (of) => counts.get(countKey(of)),
      add(line) {
        add(line);
        if ("right" in line) counts.set(countKey(line), line.right);
        else answers.set(answerKey(line), line);
      },
      [Symbol.dispose]() {
        close();
        const isEmpty = answers.size + counts.size === 0;
        if (isEmpty) rmSync(path, { force: true });
        lock.release();
        if (isEmpty && readdirSync(folder).length === 0) rmdirSync(folder);
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** A short name of some content. */
export function digestOf(...content: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 16);
}

const answerKey = ({ row, sample, of }: Pick<AnswerRecord, "row" | "sample" | "of">): string =>
  `${row} ${sample} ${of}`;
const countKey = (record: Omit<RolloutRecord, "right">): string =>
  `${answerKey(record)} ${record.kept} ${record.purpose}`;

function requireSame(path: string, header: object): void {
  const content = readFileSync(path, "utf8");
  const before = content.slice(0, content.indexOf("\n"));
  if (before === JSON.stringify(header) || !content.includes("\n")) return;
  let earlier: unknown;
  try {
    earlier = JSON.parse(before);
  } catch {
    earlier = undefined;
  }
  const changes = diffConfigs(isRecord(earlier) ? earlier : {}, header).map(
    ({ key, before: was, after: is }) => `${key}: ${JSON.stringify(was) ?? "–"} then, ${JSON.stringify(is) ?? "–"} now`,
  );
  throw new UserError("run-changed", `what is there was drawn with other settings:\n  ${changes.join("\n  ")}`, {
    where: path,
    fix: "Give the flags as they were, --overwrite to begin anew, or another folder.",
  });
}

const purposes: readonly unknown[] = ["search", "with", "free", "without"] satisfies AnswerPrefix["purpose"][];

function lineOf(value: unknown): Line | undefined {
  if (!isRecord(value)) return undefined;
  const { row, sample, of, ids, finished, kept, purpose, right } = value;
  const isCount = (entry: unknown): boolean => Number.isSafeInteger(entry) && Number(entry) >= 0;
  if (!isCount(row) || !isCount(sample) || typeof of !== "string") return undefined;
  const isAnswer = Array.isArray(ids) && ids.every(isCount) && typeof finished === "boolean";
  const isRollout = isCount(kept) && isCount(right) && purposes.includes(purpose);
  return isAnswer || isRollout ? (value as unknown as Line) : undefined;
}
