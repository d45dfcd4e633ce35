import { expect } from "@jest/globals";

import type { ErrorCode } from "../src/system/errors.ts";

/**
 * What `toThrow` expects: a UserError with this code. Of the message only `place` counts, a file, row, option or number
 * that it must name; its wording is free to change.
 */
export function userError(code: ErrorCode, place: string | RegExp = ""): unknown {
  const message: unknown = typeof place === "string" ? expect.stringContaining(place) : expect.stringMatching(place);
  return expect.objectContaining({ name: "UserError", code, message });
}
