import type { Table } from "../table.ts";

/**
 * One kind of data that can be read. A new kind is a file with one of these and its line in `fileReaders` (`files.ts`), or
 * of folders in `readers` (`index.ts`): which names are known, and what help and messages say is read, derives from the list.
 *
 * What the file says is not to be trusted: `open` and `rows` throw a `UserError` that names file and row (or line) for
 * whatever is damaged or cut short, and never allocate by a number that the file merely claims.
 */
export interface Reader {
  /** As it stands in a list after "Reads": "JSON Lines". */
  readonly name: string;
  /** Endings of its files' names, in lower case, with the dot; none if it reads folders. */
  readonly extensions: readonly string[];
  /** Whether a file that has no known ending begins as files of this kind do; `head` is its first 4,096 bytes or fewer. */
  readonly magic?: (head: Uint8Array) => boolean;
  /** Whether files of this kind are also read compressed, with `.gz` or `.zst` behind their ending. */
  readonly isText?: boolean;
  /** If it reads folders: names of files of which each such folder has one. */
  readonly markers?: readonly string[];
  /** Checks the framing and counts the rows; holds no more of the file than it needs to find a row. */
  open(path: string, options?: ReaderOptions): Promise<Table>;
}

export interface ReaderOptions {
  /** Part of a folder that has several; given to readers of folders only. */
  readonly split?: string | undefined;
  /** What messages call a file, where it is not its path; given to readers of text only. */
  readonly name?: string | undefined;
}
