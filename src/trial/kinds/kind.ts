import type { RandomStream } from "../../system/random.ts";

/** Characters of a text, as JavaScript counts them; `end` is behind the last one. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

/** A response with errors in it. */
export interface Planted {
  readonly text: string;
  /** Where the errors stand; in order, and none overlaps another. */
  readonly places: readonly Place[];
  /** The response ends too early, so that the token that ends it is an error. */
  readonly endsEarly?: boolean;
}

/** What a kind of error may use beside the response. */
export interface Planting {
  readonly random: RandomStream;
  /** How likely each place that could be made wrong is, in (0, 1]. */
  readonly share: number;
  /** A sentence of another row's response; undefined where there is none. */
  foreign(): string | undefined;
}

/** One kind of error that can be planted into responses. */
export interface PlantingKind {
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /** The response with errors; undefined where it has no place for one, or where none was drawn. */
  plant(response: string, planting: Planting): Planted | undefined;
}

/** Joins parts of a response, of which some are errors; undefined where none is. */
export function joined(parts: readonly { text: string; wrong: boolean }[]): Planted | undefined {
  const places: Place[] = [];
  let text = "";
  for (const part of parts) {
    if (part.wrong && part.text !== "") places.push({ start: text.length, end: text.length + part.text.length });
    text += part.text;
  }
  return places.length === 0 ? undefined : { text, places };
}
