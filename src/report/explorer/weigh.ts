import type { Entry, JsonSchema, RuleContext, Signal, TokenRule, TokenScore, Tokens } from "../../contract/index.ts";
import { rules } from "../../selection/catalogue.ts";
import { hashUniform } from "../../system/hash-uniform.ts";

/** A row of a run's tokens.json with the numbers that rules read. Lists are as long as the row; null where there is no number. */
export interface ExploredRow {
  readonly rowId: number;
  readonly response: readonly number[];
  readonly endOfTurn: readonly number[];
  readonly signals: Readonly<Partial<Record<Signal, readonly (number | null)[]>>>;
}

/** Where the run stood when its rows were weighed. */
export interface ExploredContext {
  readonly step: number;
  readonly samplesSeen: number;
  readonly seed: number;
}

/** What a rule makes of a row. */
export interface Weighed {
  readonly weights: readonly number[];
  /** Null on tokens without a score. */
  readonly score: readonly (number | null)[];
  readonly scoreName: string;
}

export type Options = Readonly<Record<string, unknown>>;

/** Rules that can be asked: those of which every row has what they read. */
export function rulesFor(rows: readonly ExploredRow[]): Entry<TokenRule>[] {
  const has = (signal: Signal): boolean => rows.every((row) => row.signals[signal] !== undefined);
  return rules.entries.filter((entry) => {
    const rule = made(entry, {});
    return rule !== undefined && rule.scope !== "dataset" && rule.needs.every(has);
  });
}

/** Options of a rule that a person can turn: numbers from 0 to 1, and the order. */
export function turnable({ options }: Entry<TokenRule>): { name: string; schema: JsonSchema }[] {
  return ["ratio", "gamma", "order"].flatMap((name) => {
    const schema = options[name];
    return schema === undefined ? [] : [{ name, schema }];
  });
}

/**
 * Weighs rows as a training step would that has these rows alone.
 * @throws UserError for an impossible option
 */
export function weighExplored(
  rows: readonly ExploredRow[],
  name: string,
  options: Options,
  { step, samplesSeen, seed }: ExploredContext,
): Weighed[] {
  const entry: Entry<TokenRule> | undefined = rules.entries.find((known) => known.name === name);
  if (entry === undefined) throw new RangeError(`there is no rule ${name}`);
  const rule = entry.create(options);
  const tokens = together(rows, rule.needs);
  const context: RuleContext = { step, samplesSeen, uniform: (row, t) => hashUniform(seed, row, t) };
  const weights = rule.weigh(tokens, context);
  const own = (rule as { score?: TokenScore }).score?.score(tokens, context);
  const nll = own === undefined && rows.every(({ signals }) => signals.nll) ? together(rows, ["nll"]).signals.nll : own;
  return rows.map(({ response }, row) => ({
    weights: response.map((_, t) => weights[row * tokens.width + t]!),
    score: response.map((is, t) => (is === 1 && nll !== undefined ? nll[row * tokens.width + t]! : null)),
    scoreName: own === undefined ? "loss" : `score of ${rule.name}`,
  }));
}

/** The rule with these options; undefined where it cannot be made of them. */
function made(entry: Entry<TokenRule>, options: Options): TokenRule | undefined {
  try {
    return entry.create(options);
  } catch {
    return undefined;
  }
}

function together<S extends Signal>(rows: readonly ExploredRow[], needs: readonly S[]): Tokens<S> {
  const width = Math.max(0, ...rows.map(({ response }) => response.length));
  const place = <A extends Uint8Array | Float32Array>(
    into: A,
    of: (row: ExploredRow) => readonly (number | null)[],
  ): A => {
    rows.forEach((row, r) => of(row).forEach((value, t) => (into[r * width + t] = value ?? 0)));
    return into;
  };
  const size = rows.length * width;
  const signals = needs.map((name) => [name, place(new Float32Array(size), (row) => row.signals[name] ?? [])] as const);
  return {
    ...{ rows: rows.length, width, rowIds: Float64Array.from(rows, ({ rowId }) => rowId) },
    response: place(new Uint8Array(size), ({ response }) => response),
    endOfTurn: place(new Uint8Array(size), ({ endOfTurn }) => endOfTurn),
    signals: Object.fromEntries(signals) as { [K in S]: Float32Array },
  };
}
