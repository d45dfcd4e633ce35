import { afterAll, describe, expect, test } from "@jest/globals";
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { programOf, publicEntries, publicNames } from "../scripts/public-api.ts";
import { exampleModules, exampleProblems, runExamples } from "./public-examples.ts";

const folder = resolve(".cache", `examples-${process.pid}`);
const program = programOf([...publicEntries().values()]);
const names = publicNames(program);
const examples = exampleModules(names);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("docstrings of what the package exports", () => {
  test("are there for every name", () => {
    const bare = names.filter(({ docstring }) => docstring.trim() === "");
    expect(bare.map(({ entry, name }) => `${entry}: ${name}`)).toEqual([]);
  });

  test("show every value at work", () => {
    const bare = names.filter(({ kind, examples }) => kind === "value" && examples.length === 0);
    expect(bare.map(({ entry, name }) => `${entry}: ${name}`)).toEqual([]);
  });

  test("have examples that compile and import what they show", () => {
    const absent = examples.filter(({ title, text }) => !importsOf(text).includes(title));
    expect(absent.map(({ title }) => title)).toEqual([]);
    expect(exampleProblems(examples, join(folder, "types"), program)).toEqual([]);
  });

  test("have examples that give what they say", async () => {
    const shown = await runExamples(examples, folder);
    expect(shown.filter(({ right }) => !right)).toEqual([]);
    expect(shown.length).toBe(examples.flatMap(({ text }) => text.match(/\/\/=>/g) ?? []).length);
  });
});

/** What an example imports from the package. */
function importsOf(text: string): string[] {
  return [...text.matchAll(/import \{([^}]*)\} from "tokensift/g)].flatMap(([, list]) => list!.split(/[\s,]+/));
}
