import { relative } from "node:path";
import type { DataConfig } from "../../config/index.ts";

/** What a card says. */
export interface Card {
  readonly title: string;
  readonly facts: readonly string[];
  /** By which command it was made. */
  readonly command: string;
}

/** A card for the model's page on a hub: a title, facts as a list, the command. */
export function cardText(card: Card): string {
  return ["---", "library_name: transformers", "tags: [tokensift]", "---", "", ...bodyOf(card)].join("\n");
}

/** The card of an adapter, which says how to load it. */
export function adapterCardText(card: Card, baseModel: string | undefined): string {
  const base = baseModel === undefined ? [] : [`base_model: ${baseModel}`];
  const head = ["---", "library_name: peft", ...base, "tags: [tokensift, lora]", "---", ""];
  return [...head, ...bodyOf(card), ...loading(baseModel)].join("\n");
}

function bodyOf({ title, facts, command }: Card): string[] {
  return [`# ${title}`, "", ...facts.map((fact) => `- ${fact}`), "", "```", command, "```", ""];
}

function loading(baseModel: string | undefined): string[] {
  const unnamed = [
    "`adapter_config.json` does not name the model below, for its hub id is not known. The key `adapter.baseModel` of a",
    "run says it; here it is `base_model_name_or_path`.",
    "",
  ];
  const named = [
    "from peft import AutoPeftModelForCausalLM",
    "",
    'model = AutoPeftModelForCausalLM.from_pretrained("THIS_FOLDER")',
  ];
  const both = [
    "from peft import PeftModel",
    "from transformers import AutoModelForCausalLM",
    "",
    'base = AutoModelForCausalLM.from_pretrained("BASE_MODEL")',
    'model = PeftModel.from_pretrained(base, "THIS_FOLDER")',
  ];
  const merge = `tokensift merge --model ${baseModel === undefined ? "BASE_MODEL" : "FOLDER_OF_THE_BASE"} --adapter THIS_FOLDER --out MERGED`;
  return [
    ...["## Loading", ""],
    ...(baseModel === undefined ? unnamed : []),
    ...["```python", ...(baseModel === undefined ? both : named), "```", "", "```sh", merge, "```", ""],
  ];
}

/** A path as seen from the current folder. */
export function shownPath(path: string): string {
  return relative(process.cwd(), path) || ".";
}

/** Data as a configuration names them: a path, or with `{ path, weight, … }` what holds for it. */
export function shownFiles(files: DataConfig["train"]): string {
  return [files]
    .flat()
    .map((item) => {
      if (typeof item === "string") return shownPath(item);
      const { path, ...settings } = item;
      return Object.keys(settings).length === 0 ? shownPath(path) : `${shownPath(path)} ${JSON.stringify(settings)}`;
    })
    .join(", ");
}
