/** A rule and its options, as the configuration holds them. */
export interface SelectionChoice {
  method: string;
  [option: string]: unknown;
}
