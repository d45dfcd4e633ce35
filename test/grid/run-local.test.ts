import { describe, expect, jest, test } from "@jest/globals";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cell } from "../../src/grid/cells.ts";
import { endUntilWatched } from "../../src/grid/run-cell.ts";
import { logOf, runLocal } from "../../src/grid/run-local.ts";
import { watchInterruption } from "../../src/system/interruption.ts";
import { temporaryFolder } from "../data/folder.ts";

const folder = temporaryFolder();

/** Cells whose processes are what is given: scheduling alone is tested here. */
const cellsOf = (count: number, name = "cell"): Cell[] =>
  Array.from({ length: count }, (_, index) => ({
    ...{ index, name: `${name}-${index}`, seed: index, folder: folder.path(`${name}/${index}`) },
    arm: { axis: "a", name, settings: {}, control: false },
  }));

const node = (script: string): string[] => [process.execPath, "-e", script];

describe("cells on this machine", () => {
  test("run so many at once, each with what it prints in a file", async () => {
    const started = folder.path("started");
    writeFileSync(started, "");
    const said: string[] = [];
    const script = (cell: Cell) =>
      `const fs = require("fs"), log = ${JSON.stringify(started)}; fs.appendFileSync(log, "+");
       console.log("here is ${cell.name}");
       let waits = 500; // for the other to have begun, then a moment for a third that should not
       const both = () => fs.readFileSync(log, "utf8").split("+").length > 2;
       const end = () => (both() || --waits === 0 ? setTimeout(() => fs.appendFileSync(log, "-"), 150) : setTimeout(end, 10));
       end()`;
    const ended = await runLocal({
      ...{ cells: cellsOf(4), jobs: 2 },
      command: (cell) => node(script(cell)),
      say: (sentence) => void said.push(sentence),
    });
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    let [running, most] = [0, 0];
    for (const sign of readFileSync(started, "utf8")) most = Math.max(most, (running += sign === "+" ? 1 : -1));
    expect([running, most]).toEqual([0, 2]);
    expect(readFileSync(logOf(cellsOf(4)[3]!), "utf8")).toBe("here is cell-3\n");
    expect(said.at(-1)).toMatch(/^4 of 4: cell-\d done in/);
  });

  test("go on where one fails, and end where all do", async () => {
    const codes = [0, 2, 1, 0];
    const run = (codes: readonly number[], name: string) =>
      runLocal({
        ...{ cells: cellsOf(codes.length, name), jobs: 1 },
        command: ({ index }) => node(`process.exit(${codes[index]})`),
        say: () => undefined,
      });
    expect((await run(codes, "some")).map(({ code }) => code)).toEqual(codes);
    expect((await run([2, 2, 0, 0], "all")).map(({ code }) => code)).toEqual([2, 2]);
  });

  test("get the first request to stop once, and are waited for", async () => {
    const cells = cellsOf(3, "stopped");
    const ready = (cell: Cell) => `${cell.folder}.ready`;
    // what a trainer does: keeps the signal, saves, ends; a second signal would end it at once
    const script = (cell: Cell) => `
      let times = 0; setInterval(() => 0, 1000);
      process.on("SIGINT", () => { if (++times > 1) process.exit(99); setTimeout(() => process.exit(130), 200) });
      require("fs").writeFileSync(${JSON.stringify(ready(cell))}, "")`;
    const work = runLocal({ cells, jobs: 2, command: (cell) => node(script(cell)), say: () => undefined });
    const stopped = expect(work).rejects.toMatchObject({ signal: "SIGINT", exitCode: 130 });
    while (!cells.slice(0, 2).every((cell) => existsSync(ready(cell)))) await sleep(10);
    process.emit("SIGINT", "SIGINT");
    await stopped;
    expect(existsSync(ready(cells[2]!))).toBe(false); // not begun
  });
});

test("a cell that has begun nothing yet ends by SIGUSR1, until its trainer listens", () => {
  const ended = jest.spyOn(process, "exit").mockImplementation((code) => {
    throw new Error(`exit ${code}`);
  });
  const before = process.listenerCount("newListener");
  endUntilWatched();
  expect(() => process.emit("SIGUSR1", "SIGUSR1")).toThrow(process.platform === "linux" ? "exit 138" : "exit");
  {
    using interruption = watchInterruption();
    process.emit("SIGUSR1", "SIGUSR1");
    expect(interruption.asked()).toBe(true);
  }
  expect(ended).toHaveBeenCalledTimes(1);
  expect(process.listenerCount("newListener")).toBe(before);
  ended.mockRestore();
});
