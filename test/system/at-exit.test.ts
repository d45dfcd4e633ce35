import { expect, test } from "@jest/globals";
import { atExit } from "../../src/system/at-exit.ts";

test("what cleans up at the end of a process may fail without a word, and may be called off", () => {
  const before = process.listeners("exit");
  let called = 0;
  const callOff = atExit(() => {
    called++;
    throw Object.assign(new Error("rm"), { code: "EROFS" });
  });
  const [added] = process.listeners("exit").filter((listener) => !before.includes(listener));
  expect(() => added!.call(process, 0)).not.toThrow();
  expect(called).toBe(1);
  callOff();
  expect(process.listeners("exit")).toEqual(before);
});
