import type { CdpoObjective } from "./config-schema.ts";
import {
  columnDpo,
  confPo,
  criticalTokenDpo,
  dpo,
  ldDpo,
  rpo,
  tdpo,
  temporalDecayDpo,
  type PreferenceObjective,
} from "../../preference/index.ts";

/** The objective of an alignment; undefined for `sft-chosen`, which has no preference. */
export function objectiveOf({ form, ...given }: CdpoObjective): PreferenceObjective | undefined {
  const options = withoutUndefined(given);
  switch (form) {
    case "cdpo":
    case "cdpo-shuffled":
      return criticalTokenDpo(options as Parameters<typeof criticalTokenDpo>[0]);
    case "dpo":
      return dpo(options);
    case "rpo":
      return rpo(options);
    case "ld-dpo":
      return ldDpo(options);
    case "temporal-decay":
      return temporalDecayDpo(options);
    case "tdpo":
      return tdpo(options as Parameters<typeof tdpo>[0]);
    case "confpo":
      return confPo(options);
    case "columns":
      return columnDpo(options);
    case "sft-chosen":
      return undefined;
  }
}

/** Options that are not there rather than undefined. */
function withoutUndefined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]: Exclude<T[K], undefined> };
}
