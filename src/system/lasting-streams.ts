import { appendFileSync } from "node:fs";
import type { Streams, TextStream } from "./streams.ts";

/** Name of the file in a run folder that says what a terminal could not be told. */
export const terminalFile = "terminal.log";

/**
 * Standard output and standard error of long work, which goes on without them: a reader that closes its pipe, a disk
 * that is full, a terminal that is gone (SIGHUP) end nothing. What could not be written is kept in a file.
 */
export interface LastingStreams extends Streams, Disposable {
  /** Names the file, as soon as there is one; what was kept until then is written to it. */
  keepIn(path: string): void;
}

type Name = "stdout" | "stderr";

const spoken: Readonly<Record<Name, string>> = { stdout: "standard output", stderr: "standard error" };
/** What is told of an error that no write is waiting for; the innermost work's. */
let onError: ((name: Name, error: Error) => void) | undefined;
let watched = false;

/** Takes both streams over until it is disposed of; also from a program that ends where its reader has seen enough. */
export function lastingStreams(): LastingStreams {
  const kept: string[] = [];
  const failed = new Set<Name>();
  let path: string | undefined;
  const keep = (text: string): void => {
    kept.push(text);
    if (path === undefined) return;
    try {
      appendFileSync(path, kept.splice(0).join(""));
    } catch {
      // there is nowhere left to say it
    }
  };
  const fail = (name: Name, error: Error): void => {
    if (failed.has(name)) return;
    failed.add(name);
    const { code = error.message } = error as NodeJS.ErrnoException;
    keep(
      `${stamp()} ${spoken[name]} cannot be written (${code}); the run goes on, and says here what belongs there.\n`,
    );
  };
  const stream = (name: Name): TextStream => ({
    write(text) {
      const lose = (error: Error): void => {
        fail(name, error);
        keep(plainText(text));
      };
      try {
        return process[name].write(text, (error) => error && lose(error));
      } catch (error) {
        return lose(error as Error);
      }
    },
    get isTTY() {
      return process[name].isTTY;
    },
    get columns() {
      return process[name].columns;
    },
    getColorDepth: (env) => process[name].getColorDepth(env),
  });
  const onHangUp = (): void => keep(`${stamp()} the terminal is gone (SIGHUP); the run goes on.\n`);
  const outer = onError;
  onError = fail;
  watchErrors();
  process.on("SIGHUP", onHangUp);
  return {
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    keepIn(file) {
      path = file;
      if (kept.length > 0) keep("");
    },
    [Symbol.dispose]() {
      onError = outer;
      process.off("SIGHUP", onHangUp);
    },
  };
}

/** Writes may fail after the work has ended, too: the listeners stay. */
function watchErrors(): void {
  if (watched) return;
  watched = true;
  for (const name of ["stdout", "stderr"] as const) {
    process[name].removeAllListeners("error");
    process[name].on("error", (error) => onError?.(name, error));
  }
}

const stamp = (): string => new Date().toISOString();

/** Without what a terminal alone understands; nothing of a line that is only repainted. */
function plainText(text: string): string {
  if (/^\r[^\n]*$/.test(text)) return "";
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/\r|\x1b\[[0-9;]*[A-Za-z]/g, "");
}
