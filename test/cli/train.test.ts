import { afterEach, describe, expect, jest, test } from "@jest/globals";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { trainers } from "../../src/cli/trainers.ts";
import { root, temporaryFolder, tokensift } from "./run.ts";

const folder = temporaryFolder();
const argv = process.argv;
afterEach(() => {
  process.argv = argv;
  process.exitCode = undefined;
  jest.restoreAllMocks();
});

/** What a trainer writes, which knows nothing of the command's streams. */
function written(stream: NodeJS.WriteStream): () => string {
  let text = "";
  jest.spyOn(stream, "write").mockImplementation((part) => {
    text += String(part);
    return true;
  });
  return () => text;
}

describe("tokensift train", () => {
  test("lists the files of trainers/", async () => {
    const files = readdirSync(join(root, "trainers")).map((name) => name.replace(/\.ts$/, ""));
    files.splice(files.indexOf("reproduce"), 1); // runs the others: `tokensift reproduce`
    expect(Object.keys(trainers).sort()).toEqual(files.sort());
    const { code, out } = await tokensift("train");
    expect(code).toBe(0);
    for (const [name, summary] of Object.entries(trainers))
      expect(out).toMatch(new RegExp(`^ {2}${name} +${summary}$`, "m"));
  });

  test.each(Object.keys(trainers))("%s --help is the trainer's own, with the summary of the list", async (name) => {
    const out = written(process.stdout);
    expect(await tokensift("train", name, "--help")).toEqual({ code: 0, out: "", err: "" });
    expect(out().split("\n")[0]).toBe(trainers[name]);
    expect(out()).toContain(`npx tsx trainers/${name}.ts --config FILE`);
  });

  test.each([
    ["sstokn", 'there is no recipe "sstokn"\n  Did you mean sstoken?'],
    ["no-such-thing", `The recipes are ${Object.keys(trainers).join(", ")}.`],
    ["mine.ts", "A file of yours runs by itself: npx tsx mine.ts"],
    ["./mine.mjs", "A file of yours runs by itself: node ./mine.mjs"],
    ["constructor", 'there is no recipe "constructor"'],
  ])("%s is refused", async (name, message) => {
    const { code, err } = await tokensift("train", name, "--config", "a.yaml");
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  });
});

describe("tokensift recipe", () => {
  test("list names every recipe", async () => {
    const { code, out } = await tokensift("recipe", "list");
    expect([
      code,
      out
        .trimEnd()
        .split("\n")
        .map((line) => line.split(" ")[0]),
    ]).toEqual([0, Object.keys(trainers)]);
  });

  test.each(Object.keys(trainers))("cp writes %s with imports of the package, and says how to run it", async (name) => {
    const file = folder.path(`copies/${name}.mts`);
    const { code, out, err } = await tokensift("recipe", "cp", name, file);
    expect([code, err]).toEqual([0, ""]);
    const command = readFileSync(file, "utf8").split("\n")[0]!.replace("// ", "");
    expect(command).toMatch(new RegExp(`^npx tsx .*copies/${name}\\.mts --config my-run\\.yaml$`));
    expect(out).toContain(command);
    const lines = (text: string): string[] => text.split("\n").filter((line) => line.startsWith("import "));
    const original = lines(readFileSync(join(root, "trainers", `${name}.ts`), "utf8"));
    const copied = lines(readFileSync(file, "utf8"));
    expect(copied).toHaveLength(original.length);
    for (const line of copied) expect(line).toMatch(/ from "tokensift(\/[\w/-]+)?";$/);
  });

  test("cp leaves a file that is there alone, unless told", async () => {
    folder.write("package.json", '{ "type": "module" }');
    const file = folder.write("mine.ts", "// mine\n");
    const { code, err } = await tokensift("recipe", "cp", "sstoken", file);
    expect([code, err]).toEqual([2, expect.stringContaining("--overwrite replaces it")]);
    expect(readFileSync(file, "utf8")).toBe("// mine\n");
    expect(await tokensift("recipe", "cp", "sstoken", file, "--overwrite")).toMatchObject({ code: 0 });
    expect(readFileSync(file, "utf8")).toContain("A copy of the trainer sstoken");
  });

  test("cp says so where a package.json keeps the copy from running", async () => {
    folder.write("package.json", '{ "type": "commonjs" }');
    const hint = expect.stringContaining("npm pkg set type=module");
    expect(await tokensift("recipe", "cp", "cdpo", folder.path("a.ts"))).toMatchObject({ code: 0, out: hint });
    expect((await tokensift("recipe", "cp", "cdpo", folder.path("a.mts"))).out).not.toEqual(hint);
    folder.write("package.json", '{ "type": "module" }');
    expect((await tokensift("recipe", "cp", "cdpo", folder.path("b.ts"))).out).not.toEqual(hint);
  });

  describe("cp refuses with one message and writes nothing", () => {
    const refused = async (file: string, message: RegExp, ...flags: string[]): Promise<void> => {
      const { code, out, err } = await tokensift("recipe", "cp", "sstoken", file, ...flags);
      expect([code, out, err]).toEqual([2, "", expect.stringMatching(message)]);
      expect(err).not.toMatch(/\n +at /);
    };

    test.each(["some-folder", "folder.ts"])("a folder, %s", async (name) => {
      const path = folder.path(name);
      mkdirSync(path);
      await refused(path, new RegExp(`${name}: this is a folder\n  Name a file in it: .*${name}/sstoken\\.ts\n$`));
      await refused(path, /this is a folder/, "--overwrite");
      expect(readdirSync(path)).toEqual([]);
    });

    test("a path through a file", async () => {
      const file = join(folder.write("a-file", "mine\n"), "copy.mts");
      await refused(file, /copy\.mts: cannot be written: a file is in the way \(EEXIST\)\n  Name another file\.\n$/);
    });

    test.each(["{ broken", "", "null"])("a place beside a package.json of %j", async (text) => {
      const broken = folder.path(`beside-${text.length}`);
      mkdirSync(broken);
      writeFileSync(join(broken, "package.json"), text);
      await refused(join(broken, "mine.ts"), /package\.json: this package\.json cannot be read.*\n  Mend it/);
      expect(readdirSync(broken)).toEqual(["package.json"]);
    });
  });

  test.each([
    [["cp", "sstoken", "mine.py"], "a copy is TypeScript or JavaScript"],
    [["cp", "sstoke", "mine.ts"], "Did you mean sstoken?"],
    [["cp", "sstoken"], "tokensift recipe list | cp NAME FILE"],
    [["list", "sstoken"], "tokensift recipe list | cp NAME FILE"],
    [["show"], "tokensift recipe list | cp NAME FILE"],
    [[], "tokensift recipe list | cp NAME FILE"],
    [["cp", "sstoken", "a.ts", "b.ts"], '"b.ts" stands alone'],
  ])("%j is refused", async (args, message) => {
    const { code, err } = await tokensift("recipe", ...args);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  });
});
