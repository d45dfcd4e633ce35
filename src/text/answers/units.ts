import { quotient, readNumber, type Rational } from "./rational.ts";

/** A known unit: how many of the dimension's own unit it is. */
export interface Measure {
  readonly dimension: string;
  readonly factor: Rational;
}

/** Units of one dimension, each as a multiple of the first. Singular names and symbols. */
const dimensions: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  length: {
    ...{ m: "1", meter: "1", metre: "1", cm: "1/100", centimeter: "1/100", centimetre: "1/100", mm: "1/1000" },
    ...{ millimeter: "1/1000", millimetre: "1/1000", km: "1000", kilometer: "1000", kilometre: "1000" },
    ...{ in: "0.0254", inch: "0.0254", ft: "0.3048", foot: "0.3048", yd: "0.9144", yard: "0.9144" },
    ...{ mi: "1609.344", mile: "1609.344", 米: "1", 厘米: "1/100", 毫米: "1/1000", 千米: "1000", 公里: "1000" },
  },
  mass: {
    ...{ g: "1", gram: "1", kg: "1000", kilogram: "1000", mg: "1/1000", milligram: "1/1000", 克: "1", 千克: "1000" },
    ...{ lb: "453.59237", pound: "453.59237", oz: "28.349523125", ounce: "28.349523125" },
  },
  time: {
    ...{ s: "1", sec: "1", second: "1", min: "60", minute: "60", h: "3600", hr: "3600", hour: "3600", day: "86400" },
    ...{ week: "604800", 秒: "1", 分钟: "60", 小时: "3600", 天: "86400" },
  },
  months: { month: "1", year: "12", decade: "120", century: "1200" },
  volume: { L: "1", l: "1", liter: "1", litre: "1", mL: "1/1000", ml: "1/1000", milliliter: "1/1000", 升: "1" },
  kitchen: { cup: "1", pint: "2", quart: "4", gallon: "16" },
  dollars: { dollar: "1", cent: "1/100" },
  euros: { euro: "1" },
  yuan: { yuan: "1", 元: "1", 角: "1/10" },
  angle: { degree: "1", radian: "1", rad: "1" },
};
const known = new Map(
  Object.entries(dimensions).flatMap(([dimension, units]) =>
    Object.entries(units).map(([name, factor]) => [name, { dimension, factor: readNumber(factor)! }] as const),
  ),
);
const irregular = new Map(Object.entries({ feet: "foot", inches: "inch", centuries: "century" }));
const speeds = new Map(Object.entries({ mph: "mile/h", kph: "km/h" }));

const single = "[mgshLl]";
const kept =
  "sin|cos|tan|cot|sec|csc|log|ln|exp|sqrt|pi|abs|or|and|union|arcsin|arccos|arctan|sinh|cosh|tanh|mod|choose|over";
const power = String.raw`(?: ?\^ ?\{? ?-?\d ?\}?)?`;
const word = String.raw`(?!(?:${kept})\b)[A-Za-z]{2,}\.?${power}`;
const quoted = String.raw`"[^"]{1,80}"${power}`;
const more = String.raw`(?:[ /*'-]+(?:${quoted}|${word}|${single}\b${power})){0,8}`;
const tails = [
  new RegExp(String.raw`^(.*[^\s(\[{«^_=<>,*/+-]) ?(${quoted}${more})$`),
  new RegExp(
    String.raw`^([-+]?[\d.,/ ]*\d|[-+]?[^A-Za-z]*\\frac ?\{ ?\d+ ?\} ?\{ ?\d+ ?\})(?: ?-? ?(${word}${more})| (${single}${power}${more}))$`,
  ),
  new RegExp(String.raw`^(.*(?:[\d})\]]|\\pi|[√π])) ?((?<= )${word}${more})$`),
  /^(.*\d) ?(\p{Script=Han}{1,8})$/u,
];

/** A value and the unit behind it, by their looks: whether the value can be read is not asked. */
export function valueAndUnit(text: string): { value: string; unit: string } | undefined {
  for (const tail of tails) {
    const match = tail.exec(text);
    const unit = match?.[2] ?? match?.[3];
    if (unit !== undefined) return { value: match![1]!.trim(), unit: unit.replaceAll('"', "").trim() };
  }
  return undefined;
}

const multiples = new Map(
  Object.entries({
    dozen: 12n,
    hundred: 100n,
    thousand: 1000n,
    million: 10n ** 6n,
    billion: 10n ** 9n,
    trillion: 10n ** 12n,
  }),
);

/** `million dollars` is a million times `dollars`. */
export function multipleAndUnit(unit: string): { multiple: bigint; unit: string } | undefined {
  const [, name = "", rest = ""] = /^([a-z]+)(?:$| (.*))/.exec(unit) ?? [];
  const multiple = multiples.get(name);
  return multiple === undefined ? undefined : { multiple, unit: rest };
}

/** @returns undefined for units that are not known */
export function measureOf(unit: string): Measure | undefined {
  const [above = "", below, ...rest] = (speeds.get(unit) ?? unit).split(/ ?\/ ?| per /);
  const top = simpleMeasure(above);
  if (below === undefined || !top) return top;
  const bottom = simpleMeasure(below);
  if (!bottom || rest.length > 0) return undefined;
  return { dimension: `${top.dimension}/${bottom.dimension}`, factor: quotient(top.factor, bottom.factor) };
}

/** `square feet`, `cm^2`, `km`. */
function simpleMeasure(unit: string): Measure | undefined {
  const [, prefix, name = "", exponent] =
    /^(square |sq\.? |cubic )?(.+?)\.?(?: ?\^ ?\{? ?([23]) ?\}?)?$/.exec(unit) ?? [];
  const lower = name.toLowerCase();
  const found = known.get(name) ?? known.get(irregular.get(lower) ?? lower) ?? known.get(lower.replace(/s$/, ""));
  const size = prefix?.startsWith("sq") ? 2 : prefix ? 3 : Number(exponent ?? 1);
  if (!found || size === 1) return found;
  const { top, bottom } = found.factor;
  const factor = { ...found.factor, top: top ** BigInt(size), bottom: bottom ** BigInt(size) };
  return { dimension: `${found.dimension}^${size}`, factor };
}
