import { expect } from "@jest/globals";

import type { ErrorCode } from "../src/system/errors.ts";

/**
 * What `toThrow` expects: a UserError with this code, or with one of these where it depends on the entry of a table or on
 * the byte that is damaged. Of the message only `place` counts, a file, row, option or number that it must name; its
 * wording is free to change.
 */
export function userError(code: ErrorCode | readonly ErrorCode[], place: string | RegExp = ""): unknown {
  const codes: unknown = typeof code === "string" ? code : expect.stringMatching(`^(${code.join("|")})$`);
  const message: unknown = typeof place === "string" ? expect.stringContaining(place) : expect.stringMatching(place);
  return expect.objectContaining({ name: "UserError", code: codes, message });
}
