import type { DecoderConfig } from "../config.ts";
import { decoderTensors, familyOf, moduleName } from "../families/index.ts";
import { projectionsOf, type ProjectionName } from "../projections.ts";

/** Where an adapter may change a model. */
export type Place =
  | { readonly kind: "projection"; readonly layer: number; readonly projection: ProjectionName }
  | { readonly kind: "embedding" }
  | { readonly kind: "head" };

/** A part of a model that holds weights, under the name by which PEFT knows it. */
export interface WeightModule {
  readonly name: string;
  /** Absent where no low-rank change is known, as of norms. */
  readonly place?: Place;
  /** Names and shapes of its weights. */
  readonly tensors: ReadonlyMap<string, readonly number[]>;
}

/** The name of the embedding's module. */
export function embeddingModule(config: Pick<DecoderConfig, "family">): string {
  return familyOf(config).layout.embedding;
}

/** The name of the output projection's module. */
export function headModule(config: Pick<DecoderConfig, "family">): string {
  return familyOf(config).layout.head;
}

/** All parts of a model that hold weights, the output projection also where it is tied. */
export function weightModules(config: DecoderConfig): WeightModule[] {
  const tensors = decoderTensors(config);
  const [embeddings, head] = [`${embeddingModule(config)}.weight`, `${headModule(config)}.weight`];
  if (!tensors.has(head)) tensors.set(head, tensors.get(embeddings)!);
  const places = placesOf(config);
  const modules = new Map<string, Map<string, readonly number[]>>();
  for (const [name, shape] of tensors) {
    const module = name.slice(0, name.lastIndexOf("."));
    modules.set(module, (modules.get(module) ?? new Map<string, readonly number[]>()).set(name, shape));
  }
  return [...modules].map(([name, own]) => {
    const place = places.get(name);
    return { name, tensors: own, ...(place !== undefined && { place }) };
  });
}

function placesOf(config: DecoderConfig): Map<string, Place> {
  const places = new Map<string, Place>([
    [embeddingModule(config), { kind: "embedding" }],
    [headModule(config), { kind: "head" }],
  ]);
  for (let layer = 0; layer < config.layers; layer++)
    for (const projection of projectionsOf(config))
      places.set(moduleName(config, layer, projection), { kind: "projection", layer, projection });
  return places;
}

/** The end of a projection's name that no other has, as short as can be. */
export function moduleEnd(config: DecoderConfig, projection: ProjectionName): string {
  const paths = projectionsOf(config).map((name) => moduleName(config, 0, name));
  const parts = moduleName(config, 0, projection).split(".");
  const ends = parts.map((_, i) => parts.slice(parts.length - 1 - i).join("."));
  return ends.find((end) => paths.filter((path) => path.endsWith(`.${end}`)).length === 1)!;
}
