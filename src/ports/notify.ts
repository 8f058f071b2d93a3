/** Tells customers and operators. `id` makes it idempotent: a second send of one id does nothing. */
export interface Notify {
  send(notice: Notice): Promise<void>;
  sent(id: string): Promise<boolean>;
}

export interface Notice {
  readonly id: string;
  readonly channel: string;
  readonly audience: "customers" | "operators";
  readonly text: string;
  /** Wall clock, ms. */
  readonly at: number;
}
