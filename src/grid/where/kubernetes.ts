import { stringify } from "yaml";
import { UserError } from "../../system/errors.ts";
import type { Submission } from "./place.ts";

/** What a manifest needs to know of the cluster. */
export interface ClusterOptions {
  /** The image that the cells run in: Node and this package. */
  readonly image: string | undefined;
  /** The persistent volume claim that has the folder of the commands, and takes the output. */
  readonly claim: string | undefined;
}

/**
 * A manifest of an indexed job for `kubectl apply -f -`. Its pods take the missing cells by their place in a list; a cell that
 * ends with 2, which is the person's to mend, is not tried again, and one whose node is taken away is tried again for free.
 *
 * @throws UserError without an image or a claim
 * @see https://kubernetes.io/docs/concepts/workloads/controllers/job/
 */
export function kubernetesManifest(
  { cells, command, folder, cpus, jobs, retries }: Submission,
  { image, claim }: ClusterOptions,
): string {
  if (image === undefined || claim === undefined)
    throw new UserError("missing-option", `--${image === undefined ? "image" : "claim"} is missing`, {
      fix: "--where kubernetes needs --image IMAGE, with Node and this package, and --claim NAME, the volume that has this folder.",
    });
  const job = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { generateName: "tokensift-" },
    spec: {
      completionMode: "Indexed",
      completions: cells.length,
      parallelism: Math.min(cells.length, jobs ?? cells.length),
      backoffLimitPerIndex: retries,
      podFailurePolicy: {
        rules: [
          { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
          { action: "FailIndex", onExitCodes: { containerName: "cell", operator: "In", values: [2] } },
        ],
      },
      template: {
        spec: {
          restartPolicy: "Never",
          terminationGracePeriodSeconds: 120,
          containers: [
            {
              name: "cell",
              image,
              workingDir: folder,
              command: [...command(), "--cells", cells.map(({ index }) => index).join(",")],
              resources: { requests: { cpu: String(cpus) } },
              volumeMounts: [{ name: "work", mountPath: folder }],
            },
          ],
          volumes: [{ name: "work", persistentVolumeClaim: { claimName: claim } }],
        },
      },
    },
  };
  return stringify(job);
}
