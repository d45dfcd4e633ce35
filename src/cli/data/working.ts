/** How a conversion speaks with whoever waits for it. */
export interface Working {
  say(sentence: string): void;
  /** Called now and then; throws where the person has asked to stop. */
  rows(done: number, total: number): Promise<void>;
}
