/** One data file as rows of plain values, whatever its format. */
export interface Table {
  readonly path: string;
  readonly rows: number;
  readonly columns: readonly string[];
  /** The named columns of a row; absent ones are left out. */
  row(index: number, columns: readonly string[]): Record<string, unknown>;
  /** File and row (or line) for messages. */
  where(index: number): string;
  /** Lets go of the file and of what is held of it; reading another row takes it up again. */
  close(): void;
}
