import type * as tf from "@tensorflow/tfjs-core";
import { savedFormats } from "../config/groups.ts";
import { mergeAdapter } from "../model/adapters/merge.ts";
import { isAdapted } from "../model/adapters/with-adapter.ts";
import { saveModel, type Model } from "../model/model.ts";
import { requireModelFolder } from "../model/weights/save.ts";
import { cardText, shownPath } from "../recipes/kit/card.ts";
import { mergedWeightsFact } from "../recipes/kit/save-trained.ts";
import { terminalNumber } from "../report/format.ts";
import { diskError } from "../system/disk-error.ts";
import { UserError } from "../system/errors.ts";
import { watchInterruption } from "../system/interruption.ts";
import { terminalText } from "../system/visible-text.ts";
import { defineCommand } from "./command.ts";
import { engineFlags, withEngine } from "./engine.ts";
import { adapterFlag, openModel } from "./open-model.ts";
import { oneOf, requiredValue } from "./values.ts";

/** `tokensift merge`. */
export const merge = defineCommand({
  usage: "merge --model DIR|FILE.gguf --adapter DIR --out DIR [--dtype FORMAT] [flags]",
  summary: "Writes a model with an adapter merged into its weights.",
  details:
    "The sums are taken in float32, compared with the adapter's on a text, and then rounded to the format. The folder is\n" +
    "written as a whole or not at all; a model that it holds is replaced. Where the adapter changes the embedding or the\n" +
    "output projection of a model in which these are one, they are two in the merged model.",
  flags: {
    model: { type: "string", value: "PATH", description: "The model that the adapter was trained over." },
    ...adapterFlag,
    out: { type: "string", value: "DIR", description: "Folder for the merged model." },
    dtype: {
      type: "string",
      value: "FORMAT",
      description: "as-read (default: of each tensor the format in which it came), float32, bfloat16 or float16.",
    },
    ...engineFlags,
  },
  run: async (values, { stdout, stderr }) => {
    const path = requiredValue("model", values.model, "a model folder or a GGUF file");
    const adapter = requiredValue("adapter", values.adapter, "the folder of an adapter");
    const out = requiredValue("out", values.out, "a folder for the merged model");
    const dtype = oneOf("dtype", values.dtype ?? "as-read", savedFormats);
    const say = (sentence: string): void => void stderr.write(`${terminalText(sentence)}\n`);
    await requireModelFolder(out);
    using interruption = watchInterruption();
    const check = (): Promise<void> => interruption.check();
    await withEngine(values, stderr, async () => {
      using opened = await openModel(path, { adapter, say });
      await check();
      const { model } = opened;
      if (!isAdapted(model))
        throw new UserError("missing-option", "there is no adapter", { fix: "Give --adapter DIR." });
      const { model: base, largestDifference, largestLogit } = await mergeAdapter(model);
      const merged = base as Model;
      try {
        const facts = [`Model: ${shownPath(path)}`, `Adapter merged into it: ${shownPath(adapter)}`];
        const command = `tokensift merge --model ${shownPath(path)} --adapter ${shownPath(adapter)} --out ${shownPath(out)}`;
        const card = {
          title: "A model with its adapter merged",
          facts: [...facts, mergedWeightsFact(merged, { dtype })],
          command,
        };
        await saveModel(merged, out, { card: cardText(card), dtype, check });
      } catch (error) {
        throw diskError(error, out, "merge again", "Name another folder with --out.");
      } finally {
        if (merged !== opened.trunk) (merged.outputEmbedding as tf.Variable).dispose();
      }
      const share = terminalNumber(largestDifference / largestLogit, 2);
      stdout.write(
        `${shownPath(out)}: merged; before rounding the logits of a text moved by ${share} of the largest\n`,
      );
    });
  },
});
