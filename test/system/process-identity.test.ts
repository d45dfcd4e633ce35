import { expect, test } from "@jest/globals";
import { hasEnded, lifeInStat, thisProcess } from "../../src/system/process-identity.ts";

/** The fields of /proc/PID/stat behind the name: state, ..., the 9th of all the flags, the 20th the number of threads. */
function stat(state: string, { flags = 0x400000, threads = 1 } = {}): string[] {
  const fields = Array<string>(50).fill("0");
  [fields[0], fields[6], fields[17]] = [state, String(flags), String(threads)];
  return fields;
}

test("a process lives until the system says that it is dead, and is dying while the system clears up", () => {
  for (const state of ["R", "S", "D", "T"]) expect(lifeInStat(stat(state))).toBe("running");
  expect(lifeInStat(stat("Z"))).toBe("ended");
  expect(lifeInStat(stat("X"))).toBe("ended");
  expect(lifeInStat(stat("Z", { threads: 3 }))).toBe("dying");
  expect(lifeInStat(stat("D", { flags: 0x400004 }))).toBe("dying");
  expect(lifeInStat(stat("D"), 0x100n)).toBe("dying"); // SIGKILL waits for it
  expect(lifeInStat(stat("S"), 0x4000n)).toBe("running"); // SIGTERM does
  expect(lifeInStat([])).toBe("running"); // a system that does not say
});

test("this process has not ended, and one on another machine is never known to have", () => {
  expect(hasEnded(thisProcess())).toBe(false);
  expect(hasEnded({ host: "elsewhere", pid: 1, birth: "" })).toBe(false);
});
