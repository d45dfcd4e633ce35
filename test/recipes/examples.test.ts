import { existsSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { runHere } from "./run-here.ts";

const root = resolve(import.meta.dirname, "../..");

describe("a recipe without its configuration", () => {
  const names = readdirSync(join(root, "trainers")).map((file) => basename(file, ".ts"));
  test.each(names.filter((name) => name !== "reproduce"))(
    "%s names one of its own that ships",
    async (name) => {
      const { code, stderr } = await runHere(name, "absent.yaml");
      expect(code).toBe(2);
      const [, example] = /^.*absent\.yaml: there is no such file\n.* --config (\S+)\n$/.exec(stderr) ?? [];
      expect(example).toMatch(new RegExp(`^configs/${name}/`));
      expect(existsSync(join(root, example!))).toBe(true);
    },
    60_000,
  );
});
