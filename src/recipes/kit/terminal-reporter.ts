import type { ArmReporter } from "./reporter.ts";
import type { TextStream } from "../../system/streams.ts";
import { createProgress, type Progress } from "../../report/progress.ts";

/** Shows how far an arm is, on standard error unless told otherwise. */
export function terminalReporter(label: string, stream: TextStream = process.stderr): ArmReporter {
  let training: Progress | undefined;
  let phase: { what: string; progress: Progress } | undefined;
  return {
    note(sentence) {
      const current = phase?.progress ?? training;
      if (current === undefined) stream.write(`${sentence}\n`);
      else current.note(sentence);
    },
    working(what, done, total) {
      if (phase?.what !== what) {
        phase?.progress.done();
        const rows = Math.max(1, total);
        phase = {
          what,
          progress: createProgress({ stream, total: rows, everySteps: rows, label: `${label}: ${what}` }),
        };
      }
      phase.progress.update({ step: done });
      if (done < total) return;
      phase.progress.done();
      phase = undefined;
    },
    step({ step, loss, keptShare }, total, tokensPerSecond) {
      training ??= createProgress({ stream, total, label });
      training.update({ step, fields: { loss, kept: keptShare, "tokens/s": Math.round(tokensPerSecond) } });
      if (step < total) return;
      training.done();
      training = undefined;
    },
  };
}
