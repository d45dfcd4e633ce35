import { listEngines } from "../../tensor/engine.ts";
import { defineCommand } from "../command.ts";
import { withFlag } from "../with-flag.ts";
import { describeModel } from "./describe-model.ts";
import { examine, findingsText } from "./machine.ts";
import { modelFindingsText } from "./model-text.ts";
import { tryEngine } from "./speed.ts";
import { trainingHere } from "./training-here.ts";

/** `tokensift doctor`. */
export const doctor = defineCommand({
  usage: "doctor [--model DIR|FILE.gguf] [--json]",
  summary: "Shows what this machine can run, or what a model is and what training it here takes. Writes nothing.",
  details:
    "Of a model only the headers of its files, samples of its weights and its tokenizer are read. Memory is that of the cpu\n" +
    "engine; tokens a second follow from a product of matrices that is timed here. Both are estimates.",
  flags: {
    model: {
      type: "string",
      value: "PATH",
      description: "A model folder or a GGUF file to look at, for this machine.",
    },
    json: { type: "boolean", description: "As JSON." },
  },
  run: async ({ model: path, json = false }, { stdout }) => {
    if (path === undefined) {
      const findings = await examine();
      stdout.write(json ? `${JSON.stringify(findings, null, 2)}\n` : findingsText(findings));
      return;
    }
    const described = await withFlag("model", path, describeModel);
    const speed = await tryEngine();
    const training = trainingHere(described, speed);
    const findings = { model: described.model, training, engines: await listEngines(), ...speed };
    stdout.write(json ? `${JSON.stringify(findings, null, 2)}\n` : modelFindingsText(findings));
  },
});
