import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConfigDefinition, loadConfig } from "../../src/config/load.ts";
import { recipes } from "../../src/recipes/list.ts";
import { tortureCases } from "./cases.ts";

let base: string;
beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), "tokensift-cases-"));
});
afterAll(() => rmSync(base, { recursive: true }));

test.each(tortureCases().map((each) => [each.name, each] as const))(
  "the configuration of %s can be read",
  async (name, { recipe, write, close }) => {
    const folder = join(base, name);
    mkdirSync(folder);
    const { load } = recipes.find((each) => each.name === recipe)!;
    const output = join(folder, "out");
    const definition = (await load()).config as ConfigDefinition<object>;
    expect(loadConfig(definition, await write(folder, output)).config).toMatchObject({ output });
    await close();
  },
);
