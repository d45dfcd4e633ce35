import { closeSync, openSync } from "node:fs";

/** A file that is open only while it is in use, so that a dataset of many files does not use up the file handles. */
export interface ReopeningFile {
  /** The file descriptor, opened if need be. */
  fd(): number;
  release(): void;
}

export function reopening(path: string): ReopeningFile {
  let open: number | undefined;
  return {
    fd: () => (open ??= openSync(path, "r")),
    release() {
      if (open !== undefined) closeSync(open);
      open = undefined;
    },
  };
}
