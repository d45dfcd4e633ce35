import { describe, expect, test } from "@jest/globals";
import { exitCodeOf } from "../../src/system/exit-code.ts";
import { Interrupted } from "../../src/system/interrupted.ts";
import { watchInterruption, type Interruption } from "../../src/system/interruption.ts";

/** What ends a command whose work is stopped by a signal, and what it says. */
function stoppedBy(signal: NodeJS.Signals, stopped: unknown): { code: number; said: string } {
  let said = "";
  using interruption: Interruption = watchInterruption();
  process.emit(signal, signal);
  try {
    interruption.rethrow(stopped);
  } catch (error) {
    return { code: exitCodeOf(error, "train", { write: (text) => (said += text) }), said };
  }
}

describe("a request to stop", () => {
  // 128 and the signal's number: SIGINT is 2 and SIGTERM 15 everywhere, SIGUSR1 10 on Linux
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ...(process.platform === "linux" ? ([["SIGUSR1", 138]] as const) : []),
  ] as const)("by %s ends with code %d, whoever noticed it", (signal, code) => {
    expect(stoppedBy(signal, new Interrupted("Stopped after step 3."))).toEqual({
      code,
      said: "\ntrain: Stopped after step 3.\n",
    });
  });

  test("is named by its signal where the work could not tell which it was", () => {
    const { said } = stoppedBy("SIGTERM", new Interrupted("stopped: no file was written"));
    expect(said).toBe("\ntrain: stopped by SIGTERM: no file was written\n");
  });

  test("is told to work that lets signals in, and to none after the watch", async () => {
    {
      using interruption = watchInterruption();
      await interruption.check();
      expect(interruption.asked()).toBe(false);
      process.emit("SIGTERM", "SIGTERM");
      expect(interruption.asked()).toBe(true);
      await expect(interruption.check()).rejects.toMatchObject({ signal: "SIGTERM", exitCode: 143 });
    }
    using later = watchInterruption();
    expect(later.asked()).toBe(false);
  });

  test("does not change what else ends the work", () => {
    const { code, said } = stoppedBy("SIGTERM", new Error("a defect"));
    expect([code, said]).toEqual([1, expect.stringContaining("a defect")]);
  });
});
