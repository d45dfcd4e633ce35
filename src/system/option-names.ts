/** Options of the reading of data that messages name. */
export type NamedOption = "data" | "split" | "fields" | "tokenColumns" | "maxTokens" | "trainTurns" | "chatTemplate";

/**
 * Names an option as the person sets it who reads the message: as a property of a function's options, a key of a
 * configuration, or a flag. With a value it is the whole setting, as one types it; of `fields`, the column of each part.
 */
export type OptionNames = (option: NamedOption, value?: string | Readonly<Record<string, string>>) => string;

/** For functions that are called by a program: `fields: { prompt: "question" }`. */
export const propertyNames: OptionNames = (option, value) => {
  const name = option === "chatTemplate" ? "template" : option;
  if (value === undefined) return name;
  if (option === "tokenColumns") return `${name}: ${value === "none" ? "[]" : JSON.stringify([value])}`;
  return `${name}: ${typeof value === "string" ? JSON.stringify(value) : group(value, JSON.stringify)}`;
};

/**
 * For what a configuration says: `data.fields: { prompt: question }`.
 *
 * @param data which of its two data sets is read
 */
export function keyNames(data: "train" | "validation"): OptionNames {
  const names: Partial<Record<NamedOption, string>> = {
    data: `data.${data}`,
    ...(data === "validation" && { split: "data.validationSplit" }),
  };
  return (option, value) => {
    const name = names[option] ?? `data.${option}`;
    if (value === undefined) return name;
    if (option === "tokenColumns") return `${name}: ${value === "none" ? "[]" : `[${value as string}]`}`;
    return `${name}: ${typeof value === "string" ? value : group(value, (text) => text)}`;
  };
}

function group(values: Readonly<Record<string, string>>, write: (text: string) => string): string {
  const entries = Object.entries(values).map(([name, value]) => `${name}: ${write(value)}`);
  return `{ ${entries.join(", ")} }`;
}
