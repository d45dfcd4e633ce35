import { describe, expect, test } from "@jest/globals";
import { runCommandLine } from "../../src/cli/commands.ts";
import { tokensift } from "./run.ts";

const names = ["doctor", "generate", "inspect", "explain", "score"];

test("--help lists every command", async () => {
  const { code, out } = await tokensift("--help");
  expect(code).toBe(0);
  for (const name of names) expect(out).toContain(`  ${name} `);
});

test("without a command the help is an error, and not a result", async () => {
  expect(await tokensift()).toMatchObject({ code: 2, out: "", err: expect.stringContaining("doctor") });
});

test("an unknown command is answered with the nearest one", async () => {
  const { code, out, err } = await tokensift("scoer", "--help");
  expect([code, out]).toEqual([2, ""]);
  expect(err).toBe('tokensift: there is no command "scoer"\n  Did you mean score?\n');
});

describe.each(names)("%s", (name) => {
  test("--help shows usage and flags, and runs nothing", async () => {
    const { code, out, err } = await tokensift(name, "--help");
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain(`tokensift ${name}`);
    expect(out).toMatch(/--help +Show this text/);
  });

  test("an unknown flag is refused with the nearest one", async () => {
    const { code, out, err } = await tokensift(name, "--helq");
    expect([code, out]).toEqual([2, ""]);
    expect(err).toBe(`tokensift ${name}: there is no flag --helq\n  Did you mean --help?\n`);
  });
});

test("a word that belongs to no flag is refused", async () => {
  const { code, err } = await tokensift("score", "model");
  expect([code, err]).toEqual([2, expect.stringContaining('"model" stands alone')]);
});

describe("what goes wrong while a result is written", () => {
  const failing = async (error: Error) => {
    let err = "";
    const stdout = {
      write: () => {
        throw error;
      },
    };
    const code = await runCommandLine(["explain"], { stdout, stderr: { write: (text) => (err += text) } });
    return { code, err };
  };

  test("gives 1 and a stack if it is our fault", async () => {
    const { code, err } = await failing(new TypeError("x is not a function"));
    expect(code).toBe(1);
    expect(err).toMatch(/TypeError: x is not a function\n +at /);
  });

  test("gives 2 and one line if the system refuses", async () => {
    const refusal = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    expect(await failing(refusal)).toEqual({
      code: 2,
      err: "tokensift explain: ENOSPC: no space left on device, write\n",
    });
  });
});
