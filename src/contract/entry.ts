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
  /** Makes it of options that fit `options` (and a `preset`, where there are presets). */
  create(options: Options): T;
}
