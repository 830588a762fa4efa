// Types of /makegood.js and, as the global Makegood, of /makegood.classic.js.

export as namespace Makegood;

/** Makes a checkout for one plan; with a form, it steers that form. */
export function createCheckout(options: CheckoutOptions): Checkout;

/** Names these sources. */
export const VERSION: string;

export interface CheckoutOptions {
  /** The plan's id, as GET /v1/plans lists it. */
  plan: string;
  /** Where Makegood's edge is; by default where this script came from. */
  edge?: string;
  /** ISO 4217; by default the plan's first. */
  currency?: string;
  /**
   * SERVER: charged by Makegood with a payment method (the default with `card` or a
   * `paymentMethod`). CLIENT: confirmed by Stripe.js. HOSTED: on a page of Stripe's.
   */
  checkout?: "SERVER" | "CLIENT" | "HOSTED";
  /** What `Stripe(publishableKey)` answered, or a promise of it. */
  stripe?: unknown;
  /** A mounted card element of Stripe.js. */
  card?: unknown;
  /**
   * The form that is sent: fields named `email` and `name`, a submit button, and
   * where the messages go: an element with `data-makegood="message"`.
   */
  form?: HTMLFormElement;
  /** Where an order's page is drawn; by default after the form. */
  status?: HTMLElement;
  /** Where the reference is remembered; by default localStorage, else memory. */
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  /** Whom to write to, until GET /v1/config was once read. */
  supportEmail?: string;
  appName?: string;
}

export interface Details {
  email: string;
  name?: string;
  /** A Stripe payment method's id, when the page made it itself. */
  paymentMethod?: string;
  /** The buyer was told that they may have this already, and wants a second one. */
  allowRepeat?: boolean;
}

/**
 * open: the form may be sent. busy: it is being sent, or the bank asks. act: the
 * buyer must confirm (`proceed`) or may take another card. following: a payment may
 * be on its way; nothing is sent until it is known. done: the order rests.
 */
export type Phase = "open" | "busy" | "act" | "following" | "done";

export interface State {
  phase: Phase;
  /** What the words are about, such as "ready", "declined", "duplicate"; null for nothing. */
  situation?: string | null;
  words?: { title: string; lead: string; next: string; promise: string; offer: string };
  /** The order as the edge last told it: the JSON of GET /v1/orders/{reference}. */
  order?: Order | null;
  /** Names the order; what the buyer tells support. */
  reference?: string;
  reference_short?: string;
  /** What is wrong, by the field's name. */
  fields: Record<string, string>;
  /** `submit({ ..., allowRepeat: true })` would buy a second one. */
  mayRepeat?: boolean;
  /** `startNew()` would let this order go. */
  mayStartNew?: boolean;
  /** Milliseconds: nothing was heard since, and what is shown is from then. */
  stale?: number;
}

export interface Order {
  id: string;
  reference: string;
  reference_short: string;
  kind: "PURCHASE" | "RENEWAL";
  state: "PENDING" | "CHARGED" | "COMPLETE" | "RECOVERED" | "FAILED" | "EXPIRED" | "ORPHANED" | "REFUNDED";
  plan_id: string;
  /** Minor units, in decimal. */
  amount_minor: string;
  currency: string;
  amount_display: string;
  email_masked: string;
  created_at: string | null;
  charged_at: string | null;
  completed_at: string | null;
  access_until: string | null;
  recovered_by: string;
  payment_error: { code: string; message: string } | null;
  next_action: { type: "NONE" | "WAIT" | "USE_STRIPE_SDK" | "REDIRECT" | "PAY_AGAIN"; client_secret: string; url: string; by: string | null };
  promise: { by: string | null; missed_count: number; missed_by: string | null; refund_offered: boolean } | null;
  refund_asked_at: string | null;
  refund_failed: boolean;
  /** Until when the refund that was offered by mail can be taken. */
  refund_offer_until: string | null;
}

/** One purchase, from the click to its end. "change" is dispatched with each new state, "close" by close(). */
export class Checkout extends EventTarget {
  constructor(options: CheckoutOptions);
  readonly options: CheckoutOptions;
  readonly state: State;
  /** Settles when what was begun before a reload is known, or could not be asked. */
  readonly ready: Promise<void>;
  readonly contact: { support_email?: string; app_name?: string };
  /** Sends the purchase, never twice; settles when there is an answer or none to be had. */
  submit(details: Details): Promise<State>;
  /** Goes on with a confirmation that waits for the buyer. */
  proceed(): Promise<State>;
  /** Opens the form again for an order that waits for its buyer. */
  anotherCard(): void;
  /** Lets the reference go: what is sent next is another purchase. */
  startNew(): void;
  /** Takes up again what was begun. */
  resume(): Promise<void>;
  /** Asks now. */
  lookNow(): void;
  /** Ends what this object does; the order goes on without it. */
  close(): void;
}
