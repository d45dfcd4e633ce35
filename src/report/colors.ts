/** How many colours a terminal shows. */
export type ColorLevel = "none" | "256" | "truecolor";

/** A stream that may be a terminal. */
export interface ColorStream {
  readonly isTTY?: boolean;
  getColorDepth?(env?: object): number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether styles may be written: a terminal, unless NO_COLOR is set (https://no-color.org) or it is a dumb one. */
export function takesColor(stream: ColorStream, env: Environment = process.env): boolean {
  return stream.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb";
}

/** The colours of a stream, as its terminal states them. */
export function colorLevel(stream: ColorStream, env: Environment = process.env): ColorLevel {
  if (!takesColor(stream, env)) return "none";
  if (/^(truecolor|24bit)$/i.test(env["COLORTERM"] ?? "")) return "truecolor";
  const depth = stream.getColorDepth?.(env) ?? 1;
  return depth >= 24 ? "truecolor" : depth >= 8 ? "256" : "none";
}

/** Red, green, blue, 0..255. */
export type Rgb = readonly [number, number, number];

/** Steps of a ramp. */
export const rampSteps = 10;

/**
 * Ten shades from low to high for a light page and for a dark one. Lightness goes one way all along, so they stay in
 * order for colour-blind readers and in grey; the text colour reads on every one of them (contrast at least 4.5).
 */
export const ramps = {
  light: { text: [20, 22, 26] as Rgb, shades: ramp([255, 249, 219], [166, 217, 187], [91, 168, 206]) },
  dark: { text: [244, 245, 247] as Rgb, shades: ramp([44, 42, 34], [27, 82, 84], [40, 104, 168]) },
};

/** The step of the ramp for a place in 0..1. */
export function rampStep(place: number): number {
  return Math.max(0, Math.min(rampSteps - 1, Math.floor(place * rampSteps)));
}

function ramp(low: Rgb, middle: Rgb, high: Rgb): readonly Rgb[] {
  const between = (a: Rgb, b: Rgb, share: number) => a.map((x, i) => Math.round(x + share * (b[i]! - x)));
  return Array.from({ length: rampSteps }, (_, step) => {
    const place = (2 * step) / (rampSteps - 1);
    return (place <= 1 ? between(low, middle, place) : between(middle, high, place - 1)) as unknown as Rgb;
  });
}

/** `#rrggbb`. */
export function hex(color: Rgb): string {
  return `#${color.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** The nearest colour of the 6 x 6 x 6 cube that terminals with 256 colours have. */
export function cubeIndex(color: Rgb): number {
  const level = (value: number) => (value < 48 ? 0 : value < 115 ? 1 : Math.floor((value - 35) / 40));
  return 16 + 36 * level(color[0]) + 6 * level(color[1]) + level(color[2]);
}
