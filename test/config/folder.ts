import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect } from "@jest/globals";
import { loadConfig, type ConfigDefinition, type LoadedConfig } from "../../src/config/index.ts";
import { userError } from "../user-error.ts";

/** A folder with empty files for configurations to name, removed when the tests of a file are done. */
export function configFolder(...files: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "tokensift-config-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), "");
  }
  return folder;
}

/**
 * Reads texts as configurations.
 * @param file where the text would stand, in the folder
 * @param current the folder that paths of `--set` start from; default the folder
 */
export function reader<Config>(
  definition: ConfigDefinition<Config>,
  folder: string,
  { file = "run.yaml", current = "." } = {},
): {
  load: (text: string, set?: string[]) => LoadedConfig<Config>;
  /** What is said of a wrong text, without the folder's name; empty of a right one. */
  complaints: (text: string, set?: string[]) => string;
} {
  const load = (text: string, set: string[] = []): LoadedConfig<Config> => {
    writeFileSync(join(folder, file), text);
    return loadConfig(definition, join(folder, file), { set, folder: join(folder, current) });
  };
  return {
    load,
    complaints(text, set = []) {
      try {
        load(text, set);
      } catch (error) {
        expect(error).toEqual(userError(["invalid-config", "invalid-yaml"]));
        return (error as Error).message.replaceAll(folder, "");
      }
      return "";
    },
  };
}
