/** A JSON Schema (draft-07) as plain data. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly format?: string;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

/** One point on which a paper, its authors' program and this library do not agree, or on which one is silent. */
export interface Difference {
  readonly what: string;
  readonly paper: string;
  readonly released: string;
  /** Under the preset `recommended`. */
  readonly ours: string;
  /** The option that switches it, where there is one. */
  readonly option?: string;
  readonly source: string;
}

/** What the paper says, what its authors' program does, or what we advise. */
export type Preset = "paper" | "released" | "recommended";

/**
 * One entry of a catalogue (selection rules, preference forms, eviction scores). Everything that is said of it elsewhere
 * is derived from here: the values a configuration takes, editor schemas, `tokensift explain`, the tables of the
 * documentation, names in reports, the tests that run over every entry.
 */
export interface Entry<T, Options extends object = object> {
  /** As a configuration spells it. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /** In one line. */
  readonly formula: string;
  /** Link to the paper, where there is one. */
  readonly paper?: string;
  /** JSON Schema of each option, by name. */
  readonly options: Readonly<Record<string, JsonSchema>>;
  /** Option values by preset, where paper and program differ. The default preset is `recommended`. */
  readonly presets?: Readonly<Record<string, Partial<Options>>>;
  /** Where paper, program and this library part. */
  readonly differences?: readonly Difference[];
  /** What one should know before trusting it. */
  readonly notes?: readonly string[];
  /** Options that an arm given by this name alone takes from the main arm, where that has them. */
  readonly takes?: readonly string[];
  /** The entry that this one is a variant of, a control for example: an arm given by its name takes its options. */
  readonly variantOf?: string;
  /** Makes it of options that fit `options` (and a `preset`, where there are presets). */
  create(options: Options): T;
}

/** What the user's own module exports in place of an entry: a value, or a function that makes one of options. */
export interface OwnModule {
  /** Name of the exported value: `rule`. */
  readonly value: string;
  /** Name of the exported function: `createRule`. */
  readonly create: string;
  /** Type of the value: `TokenRule`. */
  readonly type: string;
  /** The value is a function, not an object. */
  readonly callable?: true;
  /** What keeps an object from being one, all of it. Empty = nothing. */
  problems(value: Readonly<Record<string, unknown>>): string[];
  /** How to make a right one. */
  readonly fix: string;
}

/** The entries of one kind, and what the machinery over them must know. */
export interface Catalogue<T, E extends Entry<T> = Entry<T>> {
  /** What one is called: "rule", "form", "score". */
  readonly kind: string;
  /** What the list is called: "Selection rules". */
  readonly title: string;
  /** The configuration's key that names one: `selection.method`. */
  readonly key: string;
  readonly entries: readonly E[];
  readonly own: OwnModule;
}
