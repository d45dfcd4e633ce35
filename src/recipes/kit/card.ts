import { relative } from "node:path";
import type { DataConfig } from "../../config/index.ts";

/** What a card says. */
export interface Card {
  readonly title: string;
  readonly facts: readonly string[];
  /** By which command it was made. */
  readonly command: string;
  /** The chat template that a run was given, which lies beside the weights; absent where it is the starting model's. */
  readonly chatTemplate?: string | undefined;
}

/** A card for the model's page on a hub: a title, facts as a list, the command. */
export function cardText(card: Card): string {
  return ["---", "library_name: transformers", "tags: [tokensift]", "---", "", ...bodyOf(card)].join("\n");
}

/** The card of an adapter, which says how to load it. */
export function adapterCardText(card: Card, baseModel: string | undefined): string {
  const base = baseModel === undefined ? [] : [`base_model: ${baseModel}`];
  const head = ["---", "library_name: peft", ...base, "tags: [tokensift, lora]", "---", ""];
  return [...head, ...bodyOf(card), ...loading(baseModel, card.chatTemplate !== undefined)].join("\n");
}

function bodyOf({ title, facts, command, chatTemplate }: Card): string[] {
  const all = chatTemplate === undefined ? facts : [...facts, templateFact];
  return [`# ${title}`, "", ...all.map((fact) => `- ${fact}`), "", "```", command, "```", ""];
}

const templateFact =
  "Chat template: `chat_template.jinja` in this folder, which the run was given (`data.chatTemplate`) in place of the " +
  "starting model's";

function loading(baseModel: string | undefined, hasTemplate: boolean): string[] {
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
  const template = [
    "",
    "from transformers import AutoTokenizer",
    "",
    `tokenizer = AutoTokenizer.from_pretrained("${baseModel ?? "BASE_MODEL"}")`,
    'tokenizer.chat_template = open("THIS_FOLDER/chat_template.jinja", encoding="utf-8").read()',
  ];
  const merge = `tokensift merge --model ${baseModel === undefined ? "BASE_MODEL" : "FOLDER_OF_THE_BASE"} --adapter THIS_FOLDER --out MERGED`;
  return [
    ...["## Loading", ""],
    ...(baseModel === undefined ? unnamed : []),
    ...["```python", ...(baseModel === undefined ? both : named), ...(hasTemplate ? template : []), "```", ""],
    ...["```sh", merge, "```", ""],
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
