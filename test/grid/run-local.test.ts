import { describe, expect, jest, test } from "@jest/globals";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cell } from "../../src/grid/cells.ts";
import { endUntilWatched, endWithoutParent } from "../../src/grid/run-cell.ts";
import { logOf, runLocal } from "../../src/grid/run-local.ts";
import { watchInterruption } from "../../src/system/interruption.ts";
import { identityOf } from "../../src/system/process-identity.ts";
import { temporaryFolder } from "../data/folder.ts";
import { userError } from "../user-error.ts";
import { runGrid } from "../../src/grid/run-grid.ts";
import { writeGrid, writeRun } from "./small-grid.ts";

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

describe("cells that another process runs at the same time", () => {
  const living = (): string => `${JSON.stringify({ ...identityOf(process.ppid), id: "other" })}\n`; // of a process that is there, and not this one
  const lockOf = ({ folder: run }: Cell): string => join(run, ".lock");
  const run = (cells: readonly Cell[], command: (cell: Cell) => string[], said: string[] = []) =>
    runLocal({ cells, jobs: 1, command, say: (sentence) => void said.push(sentence) });

  test("are run after the others, once that has ended, and need not be where that has completed them", async () => {
    const cells = cellsOf(3, "shared");
    const [busy, done, own] = cells;
    mkdirSync(busy!.folder, { recursive: true });
    writeFileSync(lockOf(busy!), living());
    writeRun(done!.folder, { loss: 1 });
    const begun: string[] = [];
    const said: string[] = [];
    const free = `require("fs").rmSync(${JSON.stringify(lockOf(busy!))}, { force: true })`;
    const command = (cell: Cell): string[] => {
      begun.push(cell.name);
      return node(free);
    };
    const ended = await run(cells, command, said);
    expect(begun).toEqual([own!.name, busy!.name]);
    expect(ended.map(({ cell, code }) => [cell.index, code])).toEqual([
      [1, 0],
      [2, 0],
      [0, 0],
    ]);
    expect(said[0]).toBe(`shared-0 is run by process ${process.ppid} on ${hostname()}`);
  });

  test("have not failed where that was faster", async () => {
    const [cell] = cellsOf(1, "raced");
    const command = (): string[] => {
      writeRun(cell!.folder, { loss: 1 });
      return node("process.exit(2)"); // as a trainer does whose folder is in use
    };
    expect(await run([cell!], command)).toMatchObject([{ code: 0 }]);
  });
});

test("a disk that refuses a cell's log is told in words", async () => {
  const file = folder.path("in-the-way");
  writeFileSync(file, "");
  const cells = cellsOf(1).map((cell) => ({ ...cell, folder: join(file, "cells/cell-0") }));
  const work = runLocal({ cells, jobs: 1, command: () => node(""), say: () => undefined });
  await expect(work).rejects.toThrow(userError("not-writable", /in-the-way.*--output FOLDER/s));
});

test("the first cell that is done is looked at, and what is wrong with it stops the grid", async () => {
  const cells = cellsOf(3, "looked");
  const seen: string[] = [];
  const look = ({ name }: Cell): void => {
    seen.push(name);
    throw new Error("no such metric");
  };
  const work = runLocal({ cells, jobs: 1, look, command: () => node(""), say: () => undefined });
  await expect(work).rejects.toThrow("no such metric");
  expect(seen).toEqual(["looked-0"]);
});

test("a cell ends where its grid is gone, be it before the cell was ready", () => {
  const sent: unknown[] = [];
  let gone: () => void = () => undefined;
  const self = {
    ...{ pid: 7, channel: undefined as unknown, kill: (...all: unknown[]) => sent.push(all) > 0 },
    on: (_: string, listener: () => void) => ((gone = listener), self),
  };
  const end = (channel: unknown) => () => endWithoutParent({ ...self, channel } as never);
  expect(end(undefined)).not.toThrow();
  expect(end(null)).toThrow(expect.objectContaining({ exitCode: 143 }));
  end({ unref: () => undefined })();
  gone();
  expect(sent).toEqual([[7, "SIGTERM"]]);
});

test("a grid ends by SIGUSR1 before it runs its cells, and leaves no listener behind", async () => {
  const count = (): number => process.listenerCount("SIGUSR1");
  const [before, during] = [count(), [] as number[]];
  const write = jest.spyOn(process.stdout, "write").mockImplementation(() => during.push(count()) > 0);
  expect(await runGrid([writeGrid(folder.path("early")), "--list"], { program: "reproduce.ts" })).toBe(0);
  write.mockRestore();
  expect([during[0], count()]).toEqual([before + 1, before]);
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
