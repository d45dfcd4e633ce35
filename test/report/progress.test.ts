import { describe, expect, test } from "@jest/globals";
import { fieldText, liveLine, logLine, progressBar } from "../../src/report/progress-line.ts";
import { createProgress, type ProgressOptions } from "../../src/report/progress.ts";

const state = {
  ...{ label: "sstoken", step: 45, total: 150, elapsedSeconds: 30, secondsLeft: 70 },
  fields: { loss: 1.2345, kept: 0.6, "tokens/s": 812.4 },
};

describe("a live line", () => {
  test("has bar, step, fields and the time left where there is room", () => {
    expect(liveLine(state, 100)).toBe(
      "sstoken  ━━━━━━━─────────────────   45/150  loss 1.234  kept 60 %  812 tokens/s  1 min 10 s left",
    );
  });

  test.each(Array.from({ length: 100 }, (_, i) => i + 1))("fits %d columns", (width) => {
    expect(Array.from(liveLine(state, width)).length).toBeLessThanOrEqual(width);
  });

  test("gives up the bar first, then fields from the end, then the label", () => {
    expect(liveLine(state, 75)).toBe("sstoken   45/150  loss 1.234  kept 60 %  812 tokens/s  1 min 10 s left");
    expect(liveLine(state, 60)).toBe("sstoken   45/150  loss 1.234  kept 60 %  1 min 10 s left");
    expect(liveLine(state, 25)).toBe(" 45/150  1 min 10 s left");
  });

  test("counts wide characters as two columns", () => {
    // 4 + 2 + 10 + 2 + 7 + 2 + 15
    expect(liveLine({ ...state, label: "学習", fields: {} }, 42)).toContain("━━━─────── ");
    expect(liveLine({ ...state, label: "学習", fields: {} }, 41)).not.toContain("━");
  });
});

test("a bar is full only at the end", () => {
  expect([progressBar(0, 4), progressBar(0.999, 4), progressBar(1, 4), progressBar(2, 4)]).toEqual([
    "────",
    "━━━─",
    "━━━━",
    "━━━━",
  ]);
});

test("a log line tells the share done and the time used", () => {
  expect(logLine(state)).toBe(
    "sstoken  step 45/150 (30 %)  loss 1.234  kept 60 %  812 tokens/s  30 s elapsed  1 min 10 s left",
  );
  expect(logLine({ ...state, step: 150, secondsLeft: 0 })).not.toContain("left");
});

test("fields show shares in per cent, units after the number, and what is missing", () => {
  expect(fieldText("neverKeptShare", 0.25)).toBe("neverKeptShare 25 %");
  expect(fieldText("tokens/s", 12345.6)).toBe("12,346 tokens/s");
  expect(fieldText("loss", NaN)).toBe("loss –");
  expect(fieldText("arm", "full")).toBe("arm full");
});

/** A stream that keeps what is written, and a clock that is set by hand. */
function recorded(options: { isTTY?: boolean; columns?: number } & Omit<ProgressOptions, "stream" | "now" | "label">) {
  const { isTTY = false, columns = 60, ...rest } = options;
  const clock = { ms: 0 };
  const written: string[] = [];
  const stream = { isTTY, columns, write: (text: string) => written.push(text) };
  const progress = createProgress({ stream, label: "run", env: { NO_COLOR: "1" }, ...rest, now: () => clock.ms });
  return { progress, clock, written };
}

describe("progress in a log", () => {
  test("writes the first step, every tenth of the steps and the last, without escape sequences", () => {
    const { progress, written } = recorded({ total: 50 });
    for (let step = 1; step <= 50; step++) progress.update({ step, fields: { loss: 2 } });
    progress.done();
    const steps = written.map((line) => /step (\d+)\//.exec(line)?.[1]);
    expect(steps).toEqual(["1", "5", "10", "15", "20", "25", "30", "35", "40", "45", "50"]);
    expect(written.join("")).toMatch(/^[^\x1b\r]*$/);
    expect(written.every((line) => line.endsWith("\n"))).toBe(true);
  });

  test("writes a line when enough seconds have passed, however few steps", () => {
    const { progress, clock, written } = recorded({ total: 1000, everySeconds: 30 });
    for (let step = 1; step <= 7; step++) {
      progress.update({ step });
      clock.ms += 10_000;
    }
    expect(written.map((line) => /step (\d+)/.exec(line)?.[1])).toEqual(["1", "4", "7"]);
  });

  test("tells the time left from the pace since the first step seen, so that a resumed run is judged right", () => {
    const { progress, clock, written } = recorded({ total: 100, everySteps: 1 });
    progress.update({ step: 91 });
    clock.ms += 4000;
    progress.update({ step: 93 }); // 2 s a step, 7 steps to go
    expect(written[0]).not.toContain("left");
    expect(written[1]).toContain("14 s left");
  });

  test("leaves the last state standing when it stops early, once", () => {
    const { progress, written } = recorded({ total: 100 });
    progress.update({ step: 1 });
    progress.update({ step: 7 });
    progress.done();
    progress.done();
    progress.update({ step: 8 });
    expect(written.map((line) => /step (\d+)/.exec(line)?.[1])).toEqual(["1", "7"]);
  });
});

describe("progress on a terminal", () => {
  test("repaints one line at most ten times a second, never as wide as the terminal, and ends it", () => {
    const { progress, clock, written } = recorded({ total: 10, isTTY: true, columns: 40 });
    for (let step = 1; step <= 10; step++) {
      progress.update({ step, fields: { loss: 1, note: "x".repeat(100) } });
      clock.ms += 40;
    }
    progress.done();
    const painted = written.slice(0, -1);
    expect(painted.length).toBe(4); // at 0, 120, 240 and 360 ms, which is the last step
    for (const text of painted) expect(text).toMatch(/^\r[^\r\n\x1b]{1,39}\x1b\[K$/);
    expect(written.at(-1)).toBe("\n");
  });

  test("prints notes above the line, without what could steer the terminal", () => {
    const { progress, written } = recorded({ total: 10, isTTY: true });
    progress.update({ step: 1 });
    progress.note("bad file \x1b[2Jx\u202e\nsecond");
    expect(written[1]).toBe("\r\x1b[Kbad file ⟨U+001B⟩[2Jx⟨U+202E⟩\nsecond\n");
    expect(written[2]).toBe(written[0]);
  });

  test("never hides the cursor, and has styles only where colours are wanted", () => {
    const plain = recorded({ total: 3, isTTY: true });
    const styled = recorded({ total: 3, isTTY: true, env: { TERM: "xterm" } });
    const dumb = recorded({ total: 3, isTTY: true, env: { TERM: "dumb" } });
    for (const { progress } of [plain, styled, dumb]) progress.update({ step: 1 });
    expect(plain.written.join("")).not.toMatch(/\x1b\[[\d;]*m|\x1b\[\?/);
    expect(styled.written.join("")).toContain("\x1b[2m─");
    expect(styled.written.join("")).not.toContain("\x1b[?");
    expect(dumb.written.join("")).toMatch(/^[^\x1b\r]*\n$/);
  });
});
