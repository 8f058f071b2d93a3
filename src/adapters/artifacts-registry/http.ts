import { Agent, type Dispatcher, request } from "undici";
import { z } from "zod";
import type { RepositoryAddress } from "./address.ts";
import { type Credentials, parseChallenge, tokenAnswerSchema, tokenUrl } from "./auth.ts";
import { asUnavailable, unauthorized, unavailable } from "./failures.ts";

const CONNECT_MS = 10_000;
/** A registry that keeps its blobs elsewhere may take minutes to finish one. */
const ANSWER_MS = 300_000;
/** Between two parts of a body. */
const SILENCE_MS = 60_000;
const MOST_REDIRECTS = 5;
const MOST_ERROR_BYTES = 65_536;

export interface Ask {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** A path of the registry, or a whole address that it gave. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: AsyncIterable<Uint8Array> | Uint8Array;
  /** Statuses that the caller has an answer to; any other throws. */
  readonly expect: readonly number[];
}

export interface Answer {
  readonly status: number;
  readonly url: string;
  header(name: string): string | undefined;
  readonly body: Dispatcher.ResponseData["body"];
}

export interface HttpOptions {
  readonly address: RepositoryAddress;
  readonly credentials: Credentials | null;
  /** Name of the variable that the credentials came from, for messages. */
  readonly authEnv: string | undefined;
  /** PEM of the authorities to trust beside the system's. */
  readonly ca: string | undefined;
}

/**
 * Requests to one registry: who is asking, where a redirect leads, and what an answer that nobody
 * expected means. Throws ARTIFACTS_UNAVAILABLE and UNAUTHORIZED.
 */
export class RegistryHttp {
  readonly #options: HttpOptions;
  readonly #agent: Agent;
  /** What was accepted last: a token, or the credentials themselves. */
  #authorization: string | null = null;

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#agent = new Agent({
      connect: { timeout: CONNECT_MS, ...(options.ca === undefined ? {} : { ca: options.ca }) },
      headersTimeout: ANSWER_MS,
      bodyTimeout: SILENCE_MS,
    });
  }

  get where(): string {
    const { origin, repository } = this.#options.address;
    return `${origin}/${repository}`;
  }

  /** `/v2/<repository>/…` as a whole address. */
  at(path: string): string {
    const { origin, repository } = this.#options.address;
    return `${origin}/v2/${repository}/${path}`;
  }

  /**
   * The body of the answer must be read or dropped (`finish`). A request with a body that is a
   * stream is sent once: it must not be the first, which finds out how to log in.
   */
  async ask(ask: Ask): Promise<Answer> {
    try {
      const answer = await this.#follow(ask);
      if (ask.expect.includes(answer.status)) return answer;
      throw await this.#unexpected(ask, answer);
    } catch (error) {
      throw asUnavailable(this.where, error);
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #follow(ask: Ask): Promise<Answer> {
    let answer = await this.#authorized(ask);
    for (let hops = 0; REDIRECTS.has(answer.status) && hops < MOST_REDIRECTS; hops += 1) {
      const to = answer.header("location");
      if (to === undefined || ask.body !== undefined) return answer;
      await finish(answer);
      // A storage service has its own word for who may read, in the address: ours is not for it.
      const url = new URL(to, answer.url);
      const ours = url.origin === this.#options.address.origin;
      answer = await this.#send({ ...ask, url: url.href }, ours ? this.#authorization : null);
    }
    return answer;
  }

  async #authorized(ask: Ask): Promise<Answer> {
    const sent = this.#authorization;
    const answer = await this.#send(ask, sent);
    if (answer.status !== 401) return answer;
    await finish(answer);
    const authorization = await this.#logIn(answer);
    // Compared with what this one sent: another may have logged in while it was under way.
    if (authorization === sent || isStream(ask.body)) {
      throw unauthorized(this.where, "401 Unauthorized", this.#options.authEnv);
    }
    this.#authorization = authorization;
    return this.#send(ask, authorization);
  }

  /** What to send instead, after what the registry said that it wants. */
  async #logIn(answer: Answer): Promise<string | null> {
    const { credentials } = this.#options;
    const challenge = parseChallenge(answer.header("www-authenticate") ?? "");
    // A token that the user gave is sent as it is; only passwords are changed into tokens.
    if (challenge?.scheme !== "bearer" || credentials?.kind === "token") {
      return credentials?.header ?? null;
    }
    const response = await request(tokenUrl(challenge), {
      dispatcher: this.#agent,
      headers: credentials === null ? {} : { authorization: credentials.header },
    });
    const text = await response.body.text();
    const token =
      response.statusCode === 200 ? tokenAnswerSchema.safeParse(jsonOf(text)).data : null;
    if (token) return `Bearer ${token}`;
    const said = `${new URL(challenge.realm).host} gives no token: ${response.statusCode}`;
    throw unauthorized(this.where, said, this.#options.authEnv);
  }

  async #send(ask: Ask, authorization: string | null): Promise<Answer> {
    const { statusCode, headers, body } = await request(ask.url, {
      dispatcher: this.#agent,
      method: ask.method,
      headers: { ...ask.headers, ...(authorization === null ? {} : { authorization }) },
      // undici takes any async iterable and paces it by what the socket takes.
      body: ask.body === undefined ? null : bodyOf(ask.body),
    });
    // Once dropped, a body may still report that its socket was closed.
    body.on("error", () => undefined);
    return {
      status: statusCode,
      url: ask.url,
      header: (name) => [headers[name]].flat()[0],
      body,
    };
  }

  async #unexpected({ method, url }: Ask, answer: Answer): Promise<Error> {
    const said = `${method} ${new URL(url).pathname}: ${answer.status}${await reasonIn(answer)}`;
    if (answer.status === 401 || answer.status === 403) {
      return unauthorized(this.where, said, this.#options.authEnv);
    }
    return unavailable(this.where, said);
  }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** undici's types want a Readable; its code takes any async iterable. */
function bodyOf(body: AsyncIterable<Uint8Array> | Uint8Array): Uint8Array {
  return body as Uint8Array;
}

function isStream(body: Ask["body"]): boolean {
  return body !== undefined && !(body instanceof Uint8Array);
}

/** Reads the rest of an answer that nobody needs, so that its connection can be used again. */
export async function finish(answer: Answer): Promise<void> {
  await answer.body.dump();
}

/** `: BLOB_UNKNOWN: blob unknown to registry`, from OCI's error body; empty when it has none. */
async function reasonIn(answer: Answer): Promise<string> {
  try {
    const text = (await answer.body.text()).slice(0, MOST_ERROR_BYTES);
    const [first] = errorBodySchema.parse(jsonOf(text)).errors;
    return first === undefined ? "" : `: ${first.code}: ${first.message ?? ""}`;
  } catch {
    return "";
  }
}

const errorBodySchema = z.object({
  errors: z.array(z.object({ code: z.string(), message: z.string().optional() })),
});

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
