import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseYaml } from "../../src/config/yaml.ts";
import { openArrow } from "../../src/data/arrow/read.ts";
import { openFile } from "../../src/model/weights/file.ts";
import { readGgufHeader } from "../../src/model/weights/gguf.ts";
import { readSafetensors } from "../../src/model/weights/safetensors.ts";
import { parseExactJson } from "../../src/system/exact-json.ts";
import { UserError } from "../../src/system/errors.ts";
import { stream } from "../../src/system/random.ts";
import { linearPattern } from "../../src/text/patterns/pattern.ts";
import { PatternRefused } from "../../src/text/patterns/tree.ts";
import { compileChatTemplate } from "../../src/text/chat-template.ts";
import { verifier } from "../../src/text/index.ts";
import { generatedAnswer } from "../text/answers/generated-answers.ts";

/** What is fuzzed: reads one input, which a seed and a number give, and throws where it is read in a wrong way. */
export interface Target {
  run(seed: number, at: number): Promise<void> | void;
  close(): Promise<void> | void;
}

export type TargetName = "verifier" | "template" | "pattern" | "arrow" | "safetensors" | "gguf" | "json" | "yaml";

/** Opens a target; it holds files of its own until it is closed. */
export const targets: Readonly<Record<TargetName, () => Target>> = {
  verifier: openVerifier,
  template: () =>
    pieces(
      "{% {%- %} -%} {{ }} for in if else endif endfor set macro endmacro m messages .content .role [0] | trim tojson title indent ( ) ' a + ~ * 99 == range namespace loop strftime_now('%Y') replace split \n".split(
        " ",
      ),
      (text) => {
        refusing(() =>
          compileChatTemplate(text, 200_000)([{ role: "user", content: "hi ".repeat(50) }], {
            addGenerationPrompt: true,
          }),
        );
      },
    ),
  pattern: () =>
    pieces(
      "a b \\s \\S . [ab] [^a] (?: ( ) | * + ? {2,3} *? (?= (?! (?<= (?<! ^ $ \\p{L}".split(" "),
      (source, draw) => {
        const text = Array.from({ length: 60 }, () => "ab c\n"[Math.floor(draw() * 5)]).join("");
        refusing(() => linearPattern(source)(text), PatternRefused, SyntaxError);
      },
    ),
  json: () =>
    mutated(
      [Buffer.from('{"a": [1, -2.5e3, "x\\u0061\\"", {"b": null}], "c": 12345678901234567890, "d": [[], {}]}')],
      (bytes) => {
        const text = Buffer.from(bytes).toString("latin1");
        const right = outcome(() => JSON.parse(text) as unknown);
        const found = outcome(() => parseExactJson(text, { uniqueKeys: false }));
        if ((right === undefined) !== (found === undefined)) throw new Error("read otherwise than by JSON.parse");
      },
    ),
  yaml: () =>
    mutated([readFileSync(path("../../configs/sstoken/quickstart.yaml"))], (bytes) => {
      refusing(() => parseYaml(Buffer.from(bytes).toString("latin1"), "fuzzed.yaml"));
    }),
  arrow: () =>
    files(
      ["all-types.stream.arrow", "all-types.file.arrow", "dictionaries.arrow", "lz4.arrow", "columns.arrow"].map(
        (name) => fixture(`data/${name}`),
      ),
      (file) => {
        refusing(() => {
          const table = openArrow(file);
          try {
            for (let row = 0; row < Math.min(table.rows, 50); row++) table.row(row, [...table.columns.keys()]);
          } finally {
            table.close();
          }
        });
      },
    ),
  safetensors: () => files([fixture("weights/types.safetensors")], (file) => withFile(file, readSafetensors)),
  gguf: () => files([fixture("weights/tiny.gguf")], (file) => withFile(file, readGgufHeader)),
};

function openVerifier(): Target {
  const { verify, close } = verifier({
    onFailure: (input, error) => {
      throw new Error(`the verifier failed on ${JSON.stringify(input)}`, { cause: error });
    },
  });
  return {
    close,
    async run(seed, at) {
      await verify(generatedAnswer(seed, at));
    },
  };
}

type Draw = () => number;

/** Texts put together from pieces. */
function pieces(all: readonly string[], read: (text: string, draw: Draw) => void): Target {
  return {
    close: () => undefined,
    run(seed, at) {
      const { next: draw } = stream(seed, "pieces", at);
      const count = 1 + Math.floor(draw() * 24);
      const text = Array.from(
        { length: count },
        () => all[Math.floor(draw() * all.length)]! + (draw() < 0.3 ? " " : ""),
      );
      read(text.join(""), draw);
    },
  };
}

/** Sound bytes with some of them changed, left out, doubled or cut off. */
function mutated(sound: readonly Uint8Array[], read: (bytes: Uint8Array) => Promise<void> | void): Target {
  return {
    close: () => undefined,
    async run(seed, at) {
      const { below } = stream(seed, "bytes", at);
      let bytes: Uint8Array = Uint8Array.from(sound[below(sound.length)]!);
      for (let changes = 1 + below(4); changes > 0 && bytes.length > 0; changes--) {
        const place = below(bytes.length);
        const kind = below(10);
        if (kind < 4) bytes[place]! ^= 1 << below(8);
        else if (kind < 7) bytes[place] = [0, 1, 0x7f, 0x80, 0xff, 0x5b, 0x22][below(7)]!;
        else if (kind < 8) bytes = bytes.slice(0, place);
        else {
          const part = bytes.subarray(place, place + 1 + below(40));
          bytes = Buffer.concat([
            bytes.subarray(0, place),
            ...(kind < 9 ? [] : [part, part]),
            bytes.subarray(place + part.length),
          ]);
        }
      }
      await read(bytes);
    },
  };
}

/** The same with files, which are written into a folder of the target. */
function files(sound: readonly string[], read: (file: string) => Promise<void> | void): Target {
  const folder = mkdtempSync(join(tmpdir(), "tokensift-fuzz-"));
  const file = join(folder, "fuzzed");
  const target = mutated(
    sound.map((name) => readFileSync(name)),
    async (bytes) => {
      writeFileSync(file, bytes);
      await read(file);
    },
  );
  return { ...target, close: () => rmSync(folder, { recursive: true, force: true }) };
}

async function withFile(name: string, read: (file: Awaited<ReturnType<typeof openFile>>) => unknown): Promise<void> {
  const file = await openFile(name);
  try {
    await read(file);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  } finally {
    await file.close();
  }
}

/** Runs what may refuse its input, in no other way than by these errors. */
function refusing(run: () => unknown, ...others: (new (message?: string) => Error)[]): void {
  try {
    run();
  } catch (error) {
    if (![UserError, ...others].some((kind) => error instanceof kind)) throw error;
  }
}

function outcome(run: () => unknown): unknown {
  try {
    return [run()];
  } catch {
    return undefined;
  }
}

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const fixture = (name: string): string => path(`../fixtures/${name}`);
