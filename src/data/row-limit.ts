import { UserError } from "../system/errors.ts";

/** Rows of one text file: 24 bytes of memory hold the place of each, and a small compressed file may have any number. */
const MAX_ROWS = 2 ** 25;

/** @throws UserError for more rows than their places can be held of */
export function limitRows(rows: number, where: () => string): void {
  if (rows <= MAX_ROWS) return;
  throw new UserError("too-large", `more than ${MAX_ROWS} rows in one file`, {
    where: where(),
    fix: "Split the file.",
  });
}
