import { checkSize, countSize, countPass } from "./limits.ts";
import { floatText, representation, text } from "./print.ts";
import {
  float,
  integer,
  isDict,
  isFloat,
  isSequence,
  numberOf,
  typeName,
  type Arguments,
  type Value,
} from "./values.ts";

/** Python's `"…" % values`. */
export function percentFormat(template: string, values: Value): string {
  const isTuple = isSequence(values) && values.kind === "tuple";
  const list = isTuple ? values.items : [values];
  let next = 0;
  let length = 0;
  if (template.lastIndexOf("%(") > template.lastIndexOf(")")) throw new Error("incomplete format key");
  countPass(4 * template.length);
  const pattern = /%(?:\(([^)]*)\))?([-+ 0#]*)(\d*)(?:\.(\d+))?(.?)/gs;
  const written = template.replace(pattern, (_, name: string | undefined, flags, width, precision, type) => {
    if (type === "%") return "%";
    if (name === undefined && next >= list.length) throw new Error("not enough arguments for format string");
    const value = name === undefined ? list[next++] : isDict(values) ? values.get(name) : undefined;
    const digits = precision === undefined ? undefined : Number(precision);
    const body = percentValue(value, type as string, digits);
    const sign =
      typeof value !== "string" && /[ +]/.test(flags as string) && !body.startsWith("-")
        ? flags.includes("+")
          ? "+"
          : " "
        : "";
    const fill = (flags as string).includes("0") && "dif".includes(type as string) ? "0" : " ";
    const alignment = (flags as string).includes("-") ? "<" : fill === "0" ? "=" : ">";
    const part = padded(sign + body, Number(width), alignment, fill);
    checkSize((length += part.length));
    countPass(part.length);
    return part;
  });
  const isMapping = values === undefined || (typeof values === "object" && values !== null && !isFloat(values));
  if (next < list.length && (!isMapping || isTuple))
    throw new Error("not all arguments converted during string formatting");
  return written;
}

function percentValue(value: Value, type: string, precision: number | undefined): string {
  if (type === "s") return text(value).slice(0, precision);
  if (type === "r") return representation(value).slice(0, precision);
  const number = numberOf(value);
  if (number === undefined) throw new Error(`%${type} format: a number is required, not ${typeName(value)}`);
  if (type === "d" || type === "i" || type === "u") return String(integer(Math.trunc(number)));
  if (type === "f" || type === "F") return fixed(number, precision ?? 6);
  if ((type === "x" || type === "X" || type === "o") && Number.isInteger(number)) {
    const based = number.toString(type === "o" ? 8 : 16);
    return type === "X" ? based.toUpperCase() : based;
  }
  throw new Error(`the format %${type} is not supported`);
}

/** Python's `"…".format(…)`. */
export function braceFormat(template: string, args: Arguments): string {
  let next = 0;
  let length = 0;
  countPass(4 * template.length);
  return template.replace(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g, (match, field: string | undefined) => {
    if (match === "{{" || match === "}}") return match[0]!;
    const parts = /^(\w*)(?:!([rs]))?(?::(.*))?$/s.exec(field ?? "!");
    if (parts === null) throw new Error(`the format ${JSON.stringify(match)} is not supported`);
    const [, name = "", conversion, specification = ""] = parts;
    const at = name === "" ? next++ : /^\d+$/.test(name) ? Number(name) : undefined;
    if (at === undefined ? !args.named.has(name) : at >= args.positional.length) {
      throw new Error(`there is no value for ${JSON.stringify(match)}`);
    }
    const value = at === undefined ? args.named.get(name) : args.positional[at];
    const converted = conversion === "r" ? representation(value) : conversion === "s" ? text(value) : value;
    const part = formatted(converted, specification);
    checkSize((length += part.length));
    countPass(part.length);
    return part;
  });
}

function formatted(value: Value, specification: string): string {
  const parts = /^(?:(.)?([<>=^]))?([-+ ]?)(0?)(\d*)(,?)(?:\.(\d+))?([a-zA-Z%]?)$/su.exec(specification);
  if (parts === null) throw new Error(`the format ${JSON.stringify(specification)} is not supported`);
  const [, filling, alignment, sign = "", zero, width, comma, precision, type = ""] = parts;
  const number = typeof value === "boolean" && type === "" ? undefined : numberOf(value);
  let body = formattedBody(value, type, precision === undefined ? undefined : Number(precision));
  if (comma === ",") body = body.replace(/^-?\d+/, (digits) => digits.replace(/\B(?=(?:\d{3})+$)/g, ","));
  if (number !== undefined && sign !== "" && sign !== "-" && !body.startsWith("-")) body = sign + body;
  const fill = filling ?? (zero === "0" ? "0" : " ");
  return padded(body, Number(width), alignment ?? (number === undefined ? "<" : zero === "0" ? "=" : ">"), fill);
}

function formattedBody(value: Value, type: string, precision: number | undefined): string {
  if (type === "" && precision === undefined) return text(value);
  if (typeof value === "string" && (type === "s" || type === "")) return Array.from(value).slice(0, precision).join("");
  const number = numberOf(value);
  if (number === undefined) throw new Error(`Unknown format code '${type}' for object of type '${typeName(value)}'`);
  if (type === "f" || type === "F") return fixed(number, precision ?? 6);
  if (type === "%") return `${fixed(number * 100, precision ?? 6)}%`;
  if (type === "d" && !isFloat(value)) return String(number);
  if ((type === "x" || type === "X" || type === "b" || type === "o") && !isFloat(value)) {
    const based = number.toString(type === "b" ? 2 : type === "o" ? 8 : 16);
    return type === "X" ? based.toUpperCase() : based;
  }
  throw new Error(`the format code '${type}' is not supported for '${typeName(value)}'`);
}

/** @param alignment as in a format specification: <, >, ^, and = for padding behind the sign */
export function padded(body: string, width: number, alignment: string, fill: string): string {
  countSize(width);
  const missing = width - Array.from(body).length;
  if (missing <= 0) return body;
  if (alignment === "<") return body + fill.repeat(missing);
  if (alignment === "^") return fill.repeat(Math.floor(missing / 2)) + body + fill.repeat(Math.ceil(missing / 2));
  const sign = alignment === "=" && /^[-+ ]/.test(body) ? body[0]! : "";
  return sign + fill.repeat(missing) + body.slice(sign.length);
}

/** A number with that many digits behind the point; ties go to the even digit, as in Python. */
export function fixed(value: number, digits: number): string {
  if (digits > 100) throw new Error("more than 100 digits are not supported");
  if (!Number.isFinite(value) || Math.abs(value) >= 1e21) return floatText(float(value));
  const written = value.toFixed(digits);
  const doubled = value * 10 ** digits * 2;
  const isTie = digits < 16 && Number.isInteger(doubled) && doubled % 2 !== 0 && doubled / 2 / 10 ** digits === value;
  if (!isTie || Number.isInteger(Number(written.at(-1)) / 2)) return written;
  return ((Math.sign(value) * (Math.abs(doubled) - 1)) / 2 / 10 ** digits).toFixed(digits);
}
