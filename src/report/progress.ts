import { liveLine, logLine, type ProgressState } from "./progress-line.ts";
import { terminalText } from "../system/visible-text.ts";
import { takesColor } from "./colors.ts";

/** What progress is written to: `process.stderr`, or anything with `write`. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ProgressOptions {
  /** Default: standard error, so that standard output stays the program's result. */
  stream?: ProgressStream;
  /** Steps in all, at least 1. */
  total: number;
  label: string;
  /** Where there is no terminal: a line at the first and the last step and every so many. Default: a tenth of `total`. */
  everySteps?: number;
  /** Where there is no terminal: a line also when so many seconds have passed since the last. Default 60. */
  everySeconds?: number;
  env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds on a clock that never goes back. */
  now?: () => number;
}

export interface Progress {
  update(state: { step: number; fields?: Readonly<Record<string, number | string>> }): void;
  /** Says something without disturbing the line: it appears above. */
  note(sentence: string): void;
  /** Leaves the last state standing and ends the line. May be called twice. */
  done(): void;
}

const repaintMilliseconds = 100;

/**
 * Shows how far a run is. On a terminal one line is repainted at most ten times a second; the cursor is never hidden, so
 * a killed process leaves the terminal as it was. Elsewhere plain lines are written that a log can keep.
 */
export function createProgress(options: ProgressOptions): Progress {
  const { stream = process.stderr, total, everySteps = Math.ceil(total / 10), everySeconds = 60 } = options;
  const { env = process.env, now = () => performance.now() } = options;
  const label = terminalText(options.label).replaceAll("\n", " ");
  const live = stream.isTTY === true && env["TERM"] !== "dumb";
  const color = takesColor(stream, env);
  const start = now();
  let first: { step: number; at: number } | undefined;
  let [last, writtenAt, writtenStep, closed] = [undefined as ProgressState | undefined, -Infinity, -1, false];

  const paint = (state: ProgressState) => {
    // One column stays free: a full line would wrap, and could not be repainted.
    const line = liveLine(state, Math.max(1, (stream.columns ?? 80) - 1));
    stream.write(`\r${color ? line.replace(/─+/, "\x1b[2m$&\x1b[22m") : line}\x1b[K`);
  };
  const write = (state: ProgressState) => {
    if (live) paint(state);
    else stream.write(`${logLine(state)}\n`);
    [writtenAt, writtenStep] = [now(), state.step];
  };
  const due = ({ step }: ProgressState) => {
    if (step >= total || writtenStep < 0) return true;
    const passed = now() - writtenAt;
    if (live) return passed >= repaintMilliseconds;
    return (step % everySteps === 0 && step !== writtenStep) || passed >= 1000 * everySeconds;
  };

  return {
    update({ step, fields = {} }) {
      if (closed) return;
      const at = now();
      first ??= { step, at };
      const pace = step > first.step ? (at - first.at) / (step - first.step) / 1000 : undefined;
      last = {
        ...{ label, step, total, elapsedSeconds: (at - start) / 1000 },
        fields: cleaned(fields),
        secondsLeft: pace === undefined ? undefined : pace * (total - step),
      };
      if (due(last)) write(last);
    },
    note(sentence) {
      stream.write(`${live && !closed && last ? "\r\x1b[K" : ""}${terminalText(sentence)}\n`);
      if (live && !closed && last) paint(last);
    },
    done() {
      if (closed) return;
      closed = true;
      if (last && last.step !== writtenStep) write(last);
      if (live && last) stream.write("\n");
    },
  };
}

function cleaned(fields: Readonly<Record<string, number | string>>): Record<string, number | string> {
  const clean = (value: number | string) =>
    typeof value === "string" ? terminalText(value).replaceAll("\n", " ") : value;
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, clean(value)]));
}
