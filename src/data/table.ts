/** A row as the file has it: plain values by column name. */
export type RawRow = Readonly<Record<string, unknown>>;

/** Data of one source as rows of plain values, whatever its format. */
export interface Table {
  /** The files behind it; none where the rows are in memory. */
  readonly files: readonly string[];
  /** Number of rows. */
  readonly length: number;
  readonly columns: readonly string[];
  /**
   * Rows `from` up to, but not including, `to`, each with those of the named columns that it has. At least one row;
   * fewer than asked for where more would take much memory, and where the next one cannot be read, so that the error
   * comes when that row's turn has come. Only one call at a time.
   */
  rows(from: number, to: number, columns: readonly string[]): Promise<RawRow[]>;
  /**
   * Columns of the rows `from` up to, but not including, `to`: given by files without a schema, whose later rows may have
   * columns that `columns` does not name.
   */
  columnsIn?(from: number, to: number): Promise<readonly string[]>;
  /** File and row (or line) for messages. */
  where(index: number): string;
  /** Lets go of the file and of what is held of it; reading another row takes it up again. */
  close(): Promise<void>;
}
