import type { DecoderConfig } from "../../model/config.ts";
import { decoderTensors, familyOf } from "../../model/families/index.ts";
import { ggufNames, typeOf } from "../../model/gguf-file.ts";
import { ggufTensorBytes } from "../../model/weights/gguf-write.ts";
import type { Described } from "./describe-model.ts";

/** Formats of `tokensift export` in which weights can stay in their file. */
const exported = ["bf16", "q8_0", "q4_0"] as const;

/** Frozen weights in memory, in the files of the model as they are, or in a GGUF file that would be made of it. */
export type TrunkForm = "float32" | "as-stored" | (typeof exported)[number];

/** Frozen weights in one form: bytes of those that stay in their file, by their names. */
interface Trunk {
  form: TrunkForm;
  stored: ReadonlyMap<string, number>;
}

/** The forms that frozen weights under an adapter can have; a file to be made only where the model's own is not like it. */
export function trunksOf({ config, model, storedBytes }: Described): Trunk[] {
  const own = model.weights.formats[0]?.format.toLowerCase();
  return [
    { form: "float32", stored: new Map() },
    ...(storedBytes.size > 0 ? [{ form: "as-stored", stored: storedBytes } as const] : []),
    ...exported
      .filter((form) => form !== own)
      .flatMap((form) => {
        const stored = exportedBytes(config, form);
        return stored === undefined ? [] : [{ form, stored }];
      }),
  ];
}

/** Of a GGUF file in this format the bytes of matrices that stay in it; undefined for a family that has no such files. */
function exportedBytes(
  config: DecoderConfig,
  type: (typeof exported)[number],
): ReadonlyMap<string, number> | undefined {
  if (familyOf(config).ggufWriting === undefined) return undefined;
  const names = ggufNames(config);
  const bytes = [...decoderTensors(config)].flatMap(([name, shape]): [string, number][] => {
    const format = typeOf(names.get(name)!, shape, { type, tiedOutput: config.tiedOutput });
    return format === "f32" ? [] : [[name, ggufTensorBytes({ shape, type: format })]]; // f32 is widened into memory
  });
  return new Map(bytes);
}
