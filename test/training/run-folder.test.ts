import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { birthOf } from "../../src/system/process-identity.ts";
import type { Digests } from "../../src/training/manifest.ts";
import { isRunFolder, openRunFolder } from "../../src/training/run-folder.ts";
import { userError } from "../user-error.ts";

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "tokensift-run-"));
});
afterEach(() => rmSync(base, { recursive: true }));

const run = () => join(base, "deep/run");
const read = (name: string) => readFileSync(join(run(), name), "utf8");

function startRun(steps: number): void {
  using folder = openRunFolder(run(), "new");
  folder.writeConfig("model: m\n");
  for (let step = 1; step <= steps; step++) {
    folder.metrics.append({ step, loss: 1 / step });
    folder.timing.append({ step, seconds: step });
  }
  folder.evaluation.append({ step: 0, loss: 2 });
  folder.evaluation.append({ step: steps, loss: 1 });
}

describe("a run folder", () => {
  test("is made with its parents, and its lines can be read while it is open", () => {
    using folder = openRunFolder(run(), "new");
    folder.writeConfig("a: 1\n");
    folder.metrics.append({ step: 1, loss: 0.5 });
    expect(read("metrics.jsonl")).toBe('{"step":1,"loss":0.5}\n');
    expect(read("config.yaml")).toBe("a: 1\n");
    expect(isRunFolder(run())).toBe(true);
    expect(folder.previousConfig).toBeUndefined();
  });

  test("leaves no lock and no temporary files behind", () => {
    startRun(2);
    expect(readdirSync(run()).sort()).toEqual([
      "config.yaml",
      "evaluation.jsonl",
      "metrics.jsonl",
      "run.json",
      "timing.jsonl",
    ]);
  });

  test("with a run in it is neither continued nor deleted unasked", () => {
    startRun(2);
    expect(() => openRunFolder(run(), "new")).toThrow(userError("run-exists", /--resume.*--overwrite/));
    expect(read("metrics.jsonl").split("\n")).toHaveLength(3);
  });

  test("with other things in it is left alone, even with overwrite", () => {
    mkdirSync(run(), { recursive: true });
    writeFileSync(join(run(), "thesis.txt"), "years of work");
    for (const mode of ["new", "resume", "overwrite"] as const)
      expect(() => openRunFolder(run(), mode)).toThrow(userError("foreign-files", "thesis.txt"));
    expect(readdirSync(run())).toEqual(["thesis.txt"]);
  });

  test("is overwritten with its arms, but not a person's own files", () => {
    startRun(2);
    openRunFolder(join(run(), "random"), "new").close();
    mkdirSync(join(run(), "checkpoints/step-2"), { recursive: true });
    writeFileSync(join(run(), "notes.txt"), "mine");
    openRunFolder(run(), "overwrite").close();
    expect(readdirSync(run()).sort()).toEqual([
      "evaluation.jsonl",
      "metrics.jsonl",
      "notes.txt",
      "run.json",
      "timing.jsonl",
    ]);
    expect(read("metrics.jsonl")).toBe("");
  });

  test("cannot be resumed where there is none", () => {
    expect(() => openRunFolder(run(), "resume")).toThrow(userError("no-run", run()));
    expect(existsSync(run())).toBe(false);
  });

  test("that cannot be written is one message, and nothing is made", () => {
    writeFileSync(join(base, "deep"), "a file");
    expect(() => openRunFolder(run(), "new")).toThrow(userError("not-writable", "ENOTDIR"));
    expect(() => openRunFolder("/proc/run", "new")).toThrow(userError("not-writable", "/proc/run"));
    expect(() => openRunFolder(join(base, "x".repeat(300)), "new")).toThrow(userError("not-writable", "ENAMETOOLONG"));
  });
});

describe("a resumed run", () => {
  test("overwritten, is rid of the model that a killed process was writing", () => {
    startRun(1);
    mkdirSync(join(run(), ".model-0123abcd"));
    openRunFolder(run(), "overwrite").close();
    expect(existsSync(join(run(), ".model-0123abcd"))).toBe(false);
  });

  test("keeps the lines up to its checkpoint, byte for byte, and goes on behind them", () => {
    startRun(5);
    const whole = read("metrics.jsonl");
    using folder = openRunFolder(run(), "resume");
    expect(folder.previousConfig).toBe("model: m\n");
    folder.continueFrom(3);
    expect(read("evaluation.jsonl")).toBe('{"step":0,"loss":2}\n');
    for (const step of [4, 5]) folder.metrics.append({ step, loss: 1 / step });
    expect(read("metrics.jsonl")).toBe(whole);
  });

  test.each([
    ["a torn last line", '{"step":3,"lo', 2],
    ["a last line that lacks its newline alone", '{"step":3,"loss":0}', 3],
    ["a line of zeros after a power cut", "\0\0\0\0", 2],
  ])("copes with %s", (_, tail, lines) => {
    startRun(2);
    appendFileSync(join(run(), "metrics.jsonl"), tail);
    using folder = openRunFolder(run(), "resume");
    folder.continueFrom(3);
    folder.metrics.append({ step: 4 });
    const steps = read("metrics.jsonl")
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { step: number }).step);
    expect(steps).toEqual([...[1, 2, 3].slice(0, lines), 4]);
  });

  test("is rid of what a killed process was writing, and of nothing else", () => {
    startRun(1);
    const inner = "stages/contrast-models/positive";
    const ofKilled = ".model-0123abcd-77-0123abcd-0123abcd.new";
    for (const name of [
      ...["checkpoints/.building-3/model", "checkpoints/step-2", ".model-0123abcd", ".model-of-mine"],
      ...[ofKilled, `${inner}/${ofKilled}`, `${inner}/checkpoints/.building-1`, "stages/sample.parts", "trajectories"],
      "reward-model/.adapter-0123abcd-77-0123abcd-0123abcd.new",
    ])
      mkdirSync(join(run(), name), { recursive: true });
    for (const name of [
      ...["config.yaml.17-0123abcd.tmp", "notes.tmp", ".lock.12.old", "stages/sample.parts/0-16.arrow"],
      ...["trajectories/iteration-1.arrow.17-0123abcd.tmp", "stages/sample.parts/0-16.arrow.17-0123abcd.tmp"],
      ...["stages/judge.json.17-0123abcd.tmp", `${inner}/adapter_model.safetensors.17.partial`],
      ...["reward-model/head.safetensors.17.partial", "reward-model/reward-model.json"],
    ])
      writeFileSync(join(run(), name), "");
    openRunFolder(run(), "resume").close();
    expect((readdirSync(join(run(), "stages"), { recursive: true }) as string[]).sort()).toEqual([
      "contrast-models",
      "contrast-models/positive",
      "contrast-models/positive/checkpoints",
      "sample.parts",
      "sample.parts/0-16.arrow",
    ]);
    expect(readdirSync(join(run(), "trajectories"))).toEqual([]);
    expect(readdirSync(join(run(), "reward-model"))).toEqual(["reward-model.json"]);
    expect(readdirSync(join(run(), "checkpoints"))).toEqual(["step-2"]);
    expect(readdirSync(run()).sort()).toEqual([
      ".model-of-mine",
      "checkpoints",
      "config.yaml",
      "evaluation.jsonl",
      "metrics.jsonl",
      "notes.tmp",
      "reward-model",
      "run.json",
      "stages",
      "timing.jsonl",
      "trajectories",
    ]);
  });

  test("is rid of it in its arms, too, but for one that another process works in", () => {
    startRun(1);
    const leftover = "problems.jsonl.17-0123abcd.tmp";
    for (const arm of ["done", "busy"]) {
      openRunFolder(join(run(), arm), "new").close();
      writeFileSync(join(run(), arm, leftover), "");
    }
    writeFileSync(join(run(), "busy/.lock"), "");
    openRunFolder(run(), "resume").close();
    expect(["done", "busy"].map((arm) => existsSync(join(run(), arm, leftover)))).toEqual([false, true]);
  });

  test("gives a model its name back that was to be replaced, and was not", () => {
    startRun(1);
    mkdirSync(join(run(), ".model-0123abcd-77-0123abcd-0123abcd.old"));
    openRunFolder(run(), "resume").close();
    expect(readdirSync(run())).toContain("model");
  });

  test("from step 0 starts its logs afresh", () => {
    startRun(2);
    using folder = openRunFolder(run(), "resume");
    folder.continueFrom(0);
    expect(read("metrics.jsonl")).toBe("");
  });

  test("names a line in the middle that is not a log line", () => {
    startRun(1);
    appendFileSync(join(run(), "metrics.jsonl"), 'oops\n{"step":2}\n');
    using folder = openRunFolder(run(), "resume");
    expect(() => folder.continueFrom(2)).toThrow(userError("damaged-log", "metrics.jsonl:2"));
  });
});

describe("a new run", () => {
  test("is rid of what a process left that was killed before the folder held one", () => {
    mkdirSync(run(), { recursive: true });
    for (const name of ["run.json.17-0123abcd.tmp", ".lock.12.old"]) writeFileSync(join(run(), name), "");
    openRunFolder(run(), "new").close();
    expect(readdirSync(run()).filter((name) => /tmp|old/.test(name))).toEqual([]);
  });
});

describe("the records of a run", () => {
  /** Five steps, and what a checkpoint of the third of them says. */
  function threeOfFive(): Digests {
    using folder = openRunFolder(run(), "new");
    folder.writeFile("trajectories/iteration-1.arrow", "drawn");
    folder.records.add("trajectories/iteration-1.arrow");
    folder.evaluation.append({ step: 0, loss: 2 });
    let digests: Digests = {};
    for (let step = 1; step <= 5; step++) {
      folder.metrics.append({ step, loss: 1 / step });
      if (step === 3) digests = folder.records.digests();
    }
    return digests;
  }
  const check = async (saved: Digests | undefined) => {
    using folder = openRunFolder(run(), "resume");
    return folder.records.check(3, saved);
  };
  const rewrite = (name: string, change: (text: string) => string): void =>
    writeFileSync(join(run(), name), change(read(name)));

  test("fit the checkpoint that was saved with them, whatever came later", async () => {
    const saved = threeOfFive();
    expect(Object.keys(saved).sort()).toEqual(["evaluation.jsonl", "metrics.jsonl", "trajectories/iteration-1.arrow"]);
    rewrite("metrics.jsonl", (text) => `${text.slice(0, -5)}`); // torn in the last step
    appendFileSync(join(run(), "evaluation.jsonl"), '{"step":3}\n');
    expect(await check(saved)).toEqual({ missing: [], changed: [] });
  });

  test("are kept for the next checkpoint of a run that is continued", async () => {
    const saved = threeOfFive();
    using folder = openRunFolder(run(), "resume");
    folder.continueFrom(3);
    folder.records.continueFrom(saved);
    expect(folder.records.digests()).toEqual(saved);
  });

  test.each([
    [
      "a step in the middle",
      (text: string) => text.replace(/.*"step":2.*\n/, ""),
      /^metrics\.jsonl: step 2 is missing.* line 2/,
    ],
    ["the first step", (text: string) => text.replace(/.*\n/, ""), /step 1 is missing/],
    ["its last steps", (text: string) => text.split("\n").slice(0, 1).join(), /steps 2 to 3 are missing/],
    ["a step by another one", (text: string) => text.replace('"step":2', '"step":1'), /step 2 is missing.* line 2/],
    ["what makes it a log", (text: string) => text.replace("{", "oops {"), /line 1/],
  ])("that lack %s do not, with and without a manifest", async (_, change, said) => {
    const saved = threeOfFive();
    rewrite("metrics.jsonl", change);
    const missing = [expect.stringMatching(said)];
    expect(await check(saved)).toEqual({ missing, changed: [] });
    expect(await check(undefined)).toEqual({ missing, changed: [] });
  });

  test("with other numbers are told apart from those that are gone", async () => {
    const saved = threeOfFive();
    rewrite("metrics.jsonl", (text) => text.replace("0.5", "0.4"));
    writeFileSync(join(run(), "trajectories/iteration-1.arrow"), "other");
    expect(await check(saved)).toEqual({
      missing: [],
      changed: [expect.stringContaining("metrics.jsonl"), expect.stringContaining("trajectories/iteration-1.arrow")],
    });
    rewrite("evaluation.jsonl", () => "");
    rmSync(join(run(), "trajectories/iteration-1.arrow"));
    expect((await check(saved)).missing).toEqual([
      expect.stringContaining("evaluation.jsonl"),
      expect.stringContaining("trajectories/iteration-1.arrow"),
    ]);
  });
});

describe("the lock of a run folder", () => {
  test("keeps a second user out until the first is done", () => {
    const first = openRunFolder(run(), "new");
    expect(() => openRunFolder(run(), "overwrite")).toThrow(userError("run-in-use", `process ${process.pid} on`));
    first.close();
    first.close();
    openRunFolder(run(), "resume").close();
  });

  test("of a process that is gone is taken over", () => {
    startRun(1);
    const pid = Number(execFileSync(process.execPath, ["-p", "process.pid"], { encoding: "utf8" }));
    writeFileSync(join(run(), ".lock"), JSON.stringify({ host: hostname(), pid, birth: "", id: "x" }));
    openRunFolder(run(), "resume").close();
    expect(existsSync(join(run(), ".lock"))).toBe(false);
  });

  test("of a process whose number was given to another is taken over", () => {
    startRun(1);
    const earlier = { host: hostname(), pid: process.ppid, birth: "an earlier boot", id: "x" };
    writeFileSync(join(run(), ".lock"), JSON.stringify(earlier));
    openRunFolder(run(), "resume").close();
  });

  test("of a process whose number was given to this one is taken over, also where births are not to be told apart", () => {
    startRun(1);
    const { path, close } = openRunFolder(run(), "resume");
    const lock = JSON.parse(readFileSync(join(path, ".lock"), "utf8")) as object;
    close();
    writeFileSync(join(run(), ".lock"), JSON.stringify({ ...lock, id: "x" }));
    openRunFolder(run(), "resume").close();
  });

  (process.platform === "linux" ? test : test.skip)(
    "of a process that is dead and was never waited for is taken over",
    async () => {
      startRun(1);
      // the child of a shell that becomes a program which waits for no child
      const shell = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
      try {
        const [line] = (await once(shell.stdout, "data")) as [Buffer];
        const pid = Number(String(line));
        while (!/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))) await sleep(5);
        writeFileSync(join(run(), ".lock"), JSON.stringify({ host: hostname(), pid, birth: birthOf(pid), id: "x" }));
        openRunFolder(run(), "resume").close();
      } finally {
        shell.kill("SIGKILL");
      }
    },
  );

  test("of another machine is respected", () => {
    startRun(1);
    writeFileSync(join(run(), ".lock"), JSON.stringify({ host: "elsewhere", pid: 1, birth: "", id: "x" }));
    expect(() => openRunFolder(run(), "resume")).toThrow(userError("run-in-use", /delete .*\.lock/));
  });

  test("that is being written is waited for, and respected once it has its holder", async () => {
    startRun(1);
    const path = join(run(), ".lock");
    writeFileSync(path, "");
    const holder = JSON.stringify({ host: "elsewhere", pid: 1, birth: "", id: "x" });
    const writer = spawn("sh", ["-c", `sleep 0.2; printf '%s' '${holder}' > '${path}'`]);
    expect(() => openRunFolder(run(), "resume")).toThrow(userError("run-in-use", "process 1 on elsewhere"));
    await once(writer, "exit");
  });

  test("that a killed process left half-written is taken over, be it after a wait for its writer", () => {
    startRun(1);
    const path = join(run(), ".lock");
    writeFileSync(path, '{"host": "h');
    const almost = Date.now() / 1000 - 4.9;
    utimesSync(path, almost, almost);
    openRunFolder(run(), "resume").close();
    expect(existsSync(path)).toBe(false);
  });
});
