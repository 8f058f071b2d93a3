import { createHttpProbe } from "../adapters/probe-http/probe.ts";
import { TideoverError } from "../lib/errors.ts";
import type { Behaviour } from "../model/behaviour.ts";
import type { Probe } from "../ports/probe.ts";
import {
  BEHAVIOUR_QUESTIONS,
  type BehaviourToken,
  behaviourRequest,
  readBehaviour,
  recordBehaviour,
} from "../wire/behaviour.ts";
import { fieldsList, fieldsOf, textOr } from "../wire/fields.ts";
import { FINGERPRINT_PROMPT, fingerprintOf } from "../wire/fingerprint.ts";
import type { ChatMessage } from "../wire/openai.ts";

export interface FingerprintOptions {
  /** Base URLs of good copies of the model, without /v1; at least one. */
  readonly urls: readonly string[];
  readonly model: string;
  readonly key: string | undefined;
  /** How often each copy is asked: what differs between its own answers is no fault. */
  readonly repeat: number;
}

export interface TakenFingerprint {
  /** Digest of the identity answer, for `model.fingerprint`. */
  readonly fingerprint: string;
  /** null: the server tells no log-probabilities. */
  readonly behaviour: Behaviour | null;
}

const TIMEOUT_MS = 60_000;

/**
 * Asks good copies of a model who they are. Throws PEER_UNAVAILABLE when one does not answer, and
 * RELEASE_INVALID when they are not copies of one model.
 */
export async function takeFingerprint(options: FingerprintOptions): Promise<TakenFingerprint> {
  const probe = createHttpProbe();
  try {
    const identities = await eachOf(options, (url) => identityOf(probe, options, url));
    const [fingerprint] = identities;
    if (fingerprint === undefined) throw new TypeError("at least one URL is asked");
    if (new Set(identities).size > 1) throw notOneModel(identities);
    const runs = await eachOf(options, (url) => runOf(probe, options, url));
    return { fingerprint, behaviour: recordBehaviour(runs) };
  } finally {
    await probe.close();
  }
}

/** One after the other: a good copy under load is not what is to be recorded. */
async function eachOf<T>(
  { urls, repeat }: FingerprintOptions,
  ask: (url: string) => Promise<T>,
): Promise<T[]> {
  const found: T[] = [];
  for (let turn = 0; turn < repeat; turn += 1) {
    for (const url of urls) found.push(await ask(url));
  }
  return found;
}

async function identityOf(
  probe: Probe,
  { model, key }: FingerprintOptions,
  url: string,
): Promise<string> {
  const body = { model, messages: FINGERPRINT_PROMPT, temperature: 0 };
  const answer = await askChat(probe, url, key, body);
  const text = textOf(answer);
  if (text === null) throw unavailable(`${url} gave no text to the identity question`);
  return fingerprintOf(text);
}

async function runOf(
  probe: Probe,
  { model, key }: FingerprintOptions,
  url: string,
): Promise<Map<string, readonly BehaviourToken[]>> {
  const run = new Map<string, readonly BehaviourToken[]>();
  for (const ask of BEHAVIOUR_QUESTIONS) {
    run.set(ask, readBehaviour(await askChat(probe, url, key, behaviourRequest(model, ask))));
  }
  return run;
}

async function askChat(
  probe: Probe,
  base: string,
  key: string | undefined,
  body: { readonly model: string; readonly messages: readonly ChatMessage[] },
): Promise<unknown> {
  const url = `${base.replace(/\/$/, "")}/v1/chat/completions`;
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const asked = { url, method: "POST", headers, body, timeoutMs: TIMEOUT_MS } as const;
  const answer = await probe.exchange(asked);
  if (!answer.answered) throw unavailable(`${base} did not answer: ${answer.reason}`);
  if (answer.status !== 200) {
    throw unavailable(`${base} answered ${answer.status}: ${answer.body.slice(0, 200)}`);
  }
  return parseJson(answer.body);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function textOf(answer: unknown): string | null {
  const [choice] = fieldsList(fieldsOf(answer).choices);
  const text = textOr(fieldsOf(choice?.message).content);
  return text === "" ? null : text;
}

function unavailable(message: string): TideoverError {
  return new TideoverError(message, {
    code: "PEER_UNAVAILABLE",
    retry: "later",
    next: "Give the base URL of an OpenAI-compatible server that has the model loaded, its id with --model, and its key by --key-env.",
  });
}

function notOneModel(identities: readonly string[]): TideoverError {
  const shown = [...new Set(identities)].join(" and ");
  return new TideoverError(
    `the copies do not answer alike: ${shown} were given to one identity question`,
    {
      code: "RELEASE_INVALID",
      next: "Ask copies of one artifact only, with temperature 0 honoured; ask one of them alone to see which is odd.",
    },
  );
}
