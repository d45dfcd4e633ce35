import type { ArmReporter } from "./reporter.ts";
import { createProgress, type Progress } from "../../report/progress.ts";

/** Shows on standard error how far an arm is. */
export function terminalReporter(label: string): ArmReporter {
  let training: Progress | undefined;
  let phase: { what: string; progress: Progress } | undefined;
  return {
    note(sentence) {
      const current = phase?.progress ?? training;
      if (current === undefined) process.stderr.write(`${sentence}\n`);
      else current.note(sentence);
    },
    working(what, done, total) {
      if (phase?.what !== what) {
        phase?.progress.done();
        const rows = Math.max(1, total);
        phase = { what, progress: createProgress({ total: rows, everySteps: rows, label: `${label}: ${what}` }) };
      }
      phase.progress.update({ step: done });
      if (done < total) return;
      phase.progress.done();
      phase = undefined;
    },
    step({ step, loss, keptShare }, total, tokensPerSecond) {
      training ??= createProgress({ total, label });
      training.update({ step, fields: { loss, kept: keptShare, "tokens/s": Math.round(tokensPerSecond) } });
      if (step < total) return;
      training.done();
      training = undefined;
    },
  };
}
