import { readdirSync, readFileSync } from "node:fs";
import { parseYaml } from "../../../src/config/yaml.ts";
import { loraSettings, targetsOf } from "../../../src/model/adapters/options.ts";
import { parsePeftConfig } from "../../../src/model/adapters/peft-config.ts";
import { savedOptions } from "../../../src/model/adapters/peft-tensors.ts";
import { parseDecoderConfig } from "../../../src/model/config-file.ts";
import { decoderTensors } from "../../../src/model/families/index.ts";
import { parseJson } from "../../../src/model/weights/read-json.ts";
import { fixture, path } from "../files.ts";
import { changedJson, changedText, type Json } from "../json-trees.ts";
import { oneOf, refusing, target, type Target } from "../target.ts";

const yamlPieces =
  "a: b:\n  c- -\n- \" ' [ ] { } , & * ? | > ! % @ # --- ... \t \u0000 \u2028 << &a *a : ~ .inf 0x1f 1e9 !!str".split(
    " ",
  );
const nesting = ["[", "{a: ", "- ", "? ", "a:\n ", "&a [", "!!map {"];

/** Configurations of this program, and YAML put together from its signs. */
export const yaml = (): Target => {
  const sound = ["sstoken/quickstart", "sstoken/ablation", "cdpo/quickstart"].map((name) =>
    readFileSync(path(`configs/${name}.yaml`), "utf8").slice(0, 800),
  );
  return target((draws) => {
    const { next, below } = draws;
    let text = "";
    if (next() < 0.5) {
      const from = oneOf(draws, sound);
      const at = below(from.length);
      text = from.slice(next() < 0.5 ? 0 : at, at + 300);
      for (let changes = 1 + below(3); changes > 0; changes--) text = changedText(text, draws, yamlPieces);
    } else if (next() < 0.9)
      text = Array.from(
        { length: below(24) },
        () => oneOf(draws, yamlPieces) + oneOf(draws, ["", " ", "\n", "\n  "]),
      ).join("");
    else text = oneOf(draws, nesting).repeat(below(600)) + oneOf(draws, yamlPieces);
    refusing(() => {
      const { value, locate } = parseYaml(text, "fuzzed.yaml");
      const [key] = typeof value === "object" && value !== null ? Object.keys(value) : [];
      if (key !== undefined) locate([key, "x"], "key");
    });
  });
};

const trees = (folder: string, name: string): Json[] =>
  (readdirSync(fixture(folder), { recursive: true }) as string[])
    .filter((file) => file.endsWith(name))
    .map((file) => JSON.parse(readFileSync(fixture(`${folder}/${file}`), "utf8")) as Json);

/** `config.json` of every family. */
export const config = (): Target => {
  const sound = trees("model", "config.json");
  return target((draws) => {
    const bytes = Buffer.from(changedJson(oneOf(draws, sound), draws));
    refusing(() => decoderTensors(parseDecoderConfig(parseJson(bytes, "fuzzed"), "fuzzed")));
  });
};

/** `adapter_config.json`, as far as it goes without weights. */
export const adapter = (): Target => {
  const sound = trees("adapters", "adapter_config.json");
  const patterns = [
    ".*\\.(q|k)_proj$",
    "(?:model\\.)+layers\\.[0-3]\\..*",
    "(a+)+$",
    "^(?!.*gate).*proj",
    "[^.]*",
    "\\d{1,3}",
    "(?P<n>a)(?P=n)",
  ];
  const shape = parseDecoderConfig(trees("model/tied", "config.json")[0], "shape");
  return target((draws) => {
    let tree = oneOf(draws, sound);
    if (draws.next() < 0.3)
      tree = {
        ...(tree as Record<string, Json>),
        target_modules: changedText(oneOf(draws, patterns), draws, [..."()[]{}*+?|\\.^$", "(?<", "\\w"]),
      };
    const bytes = Buffer.from(draws.next() < 0.2 ? JSON.stringify(tree) : changedJson(tree, draws));
    refusing(() => {
      const peft = parsePeftConfig(parseJson(bytes, "fuzzed"), "fuzzed");
      const options = savedOptions(peft, shape, "fuzzed");
      if (options.targetModules.length > 0) targetsOf(loraSettings(options, shape), shape);
    });
  });
};
