import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RandomStream } from "../../src/system/random.ts";
import { mountDisk, type SmallDisk } from "../recipes/small-disk.ts";
import type { TortureCase } from "./cases.ts";
import { contentOf, differences, type FolderContent, type Freedom } from "./folder-content.ts";
import { type Ended, type Program, type Running, type Start, startRun, whenOpened } from "./run-process.ts";

/** What went otherwise than promised, in words. */
export class Broken extends Error {}

/** A case with its undisturbed run, beside which all others are held. */
export interface Subject {
  readonly case: TortureCase;
  readonly folder: string;
  readonly config: string;
  /** The folder that runs write to; the one of the undisturbed run has another name now. */
  readonly output: string;
  readonly whole: WholeFacts;
  /** Removes the output. */
  clear(): void;
  /** Starts a run. */
  start(options?: Partial<Start>): Running;
  /** The same, to its end. */
  run(options?: Partial<Start>): Promise<Ended>;
  /** `--resume` where there is a run. */
  resumeFlag(): readonly string[];
  /** @throws Broken where the run folder is not, to the byte, that of the undisturbed run */
  requireSame(freedom?: Freedom): void;
  /** Waits for the run to open its folder. */
  opened(run: Running): Promise<void>;
}

/** Of the undisturbed run. */
export interface WholeFacts {
  readonly path: string;
  readonly content: FolderContent;
  /** From its opened folder to its end. */
  readonly milliseconds: number;
  /** Changes of the file system. */
  readonly operations: number;
  readonly kilobytes: number;
}

/** A place for all runs, which is removed if nothing went wrong. */
export function workplace(): string {
  return mkdtempSync(join(tmpdir(), "tokensift-torture-"));
}

/** Makes the undisturbed run of a case. */
export async function subjectOf(of: TortureCase, folder: string, program: Program): Promise<Subject> {
  const [place, count] = [join(folder, "place"), join(folder, "count")];
  const output = join(place, "out");
  mkdirSync(place, { recursive: true });
  const config = await of.write(folder, output);
  const start = (options: Partial<Start> = {}): Running =>
    startRun({ name: of.recipe, config, program, patience: 600_000, ...options });
  const first = start({ strike: { count } });
  await whenOpened(first, output);
  const began = performance.now();
  const ended = await first.ended;
  if (ended.code !== 0) throw new Broken(`the undisturbed run of ${of.name} ended with ${ended.code}: ${ended.stderr}`);
  const milliseconds = performance.now() - began;
  const whole: WholeFacts = {
    ...{ path: join(folder, "whole"), content: contentOf(output), milliseconds },
    operations: Number(readFileSync(count, "utf8")),
    kilobytes: kilobytesBelow(output),
  };
  renameSync(output, whole.path);
  const patience = 60_000 + 15 * milliseconds;
  return {
    ...{ case: of, folder, config, output, whole },
    clear: () => rmSync(output, { recursive: true, force: true }),
    start: (options) => start({ patience, ...options }),
    async run(options) {
      const ended = await start({ patience, ...options }).ended;
      if (ended.hung) throw new Broken(`a run hangs: ${lastLines(ended.stderr)}`);
      return ended;
    },
    resumeFlag: () => (existsSync(join(output, "run.json")) ? ["--resume"] : []),
    requireSame(freedom) {
      const found = differences(whole.content, contentOf(output), freedom);
      const beside = readdirSync(place).filter((name) => name !== "out");
      const all = [...found, ...beside.map((name) => `${name} lies beside the run folder`)];
      if (all.length > 0) throw new Broken(all.join(", "));
    },
    opened: (run) => whenOpened(run, output),
  };
}

/** Runs the last step of a round: to the end, and compared with the undisturbed run. */
export async function finishSame(subject: Subject, freedom: Freedom = {}, flags = subject.resumeFlag()): Promise<void> {
  const { code, signal, stderr } = await subject.run({ flags });
  if (code !== 0) throw new Broken(`${flags.join(" ")} ended with ${signal ?? code}: ${lastLines(stderr)}`);
  subject.requireSame(freedom);
}

/** The end of what a run has said. */
export function lastLines(text: string): string {
  return text.trimEnd().split("\n").slice(-6).join("\n");
}

/** What `strike.mjs` says that it did. */
export function strikeIn({ stderr }: Pick<Ended, "stderr">): string | undefined {
  return /^strike: (.*)$/m.exec(stderr)?.[1];
}

/** One of a list. */
export function oneOf<T>(values: readonly T[], random: RandomStream): T {
  return values[random.below(values.length)]!;
}

function kilobytesBelow(folder: string): number {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true });
  const sizes = names
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)).length);
  return sizes.reduce((sum, size) => sum + 4 * Math.ceil(size / 4096), 4 * (names.length + 1));
}

/** A disk of so many kilobytes where runs write to, for as long as the work takes. */
export async function onSmallDisk<T>(
  subject: Subject,
  kilobytes: number,
  work: (disk: SmallDisk) => Promise<T>,
): Promise<T> {
  const disk = mountDisk(join(subject.folder, "place"), kilobytes);
  try {
    return await work(disk);
  } catch (error) {
    writeFileSync(join(subject.folder, "full-disk.txt"), `a disk of ${kilobytes} kB, now unmounted\n`);
    throw error;
  } finally {
    disk.unmount();
  }
}
