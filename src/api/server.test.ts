import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { KEYS } from "../model/keys.ts";
import { indexRequestSchema, operatorRequestSchema } from "../model/request.ts";
import type { Store } from "../ports/store.ts";
import { SimClock } from "../sim/clock.ts";
import { SIM_RELEASE, simSpec } from "../sim/estate.ts";
import { type ApiOptions, createApi, startApi } from "./server.ts";
import { intent, plan, planState, record, report, storeWith, WORKFLOW } from "./values.fixture.ts";

const TOKEN = "the-token-of-the-estate";
const NOW = 1_700_000_000_000;

function optionsWith(store: Store, over: Partial<ApiOptions> = {}): ApiOptions {
  return {
    host: "127.0.0.1",
    port: 0,
    estate: { spec: simSpec(), release: SIM_RELEASE },
    store,
    clock: new SimClock(NOW),
    controller: { status: () => ({ turn: "all is well" }) },
    token: TOKEN,
    newId: () => "r1",
    verifyRelease: () => null,
    claimsOf: () => ({ number: null, expires: null }),
    ...over,
  };
}

interface Asked {
  readonly method?: string;
  readonly body?: string;
  readonly authorization?: string | null;
}

async function ask(options: ApiOptions, path: string, asked: Asked = {}) {
  const { authorization = `Bearer ${TOKEN}`, body, method = "GET" } = asked;
  const response = await createApi(options).request(path, {
    method,
    headers: authorization === null ? {} : { authorization },
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

async function estate(values: Readonly<Record<string, unknown>> = { other: 1 }) {
  const store = await storeWith(values);
  return { store, options: optionsWith(store) };
}

describe("the token", () => {
  const wrong = [null, "", "Bearer", "Bearer ", "Bearer wrong", TOKEN, `bearer ${TOKEN}`];
  for (const authorization of [...wrong, `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(0, -1)}`]) {
    test(`is not "${authorization}"`, async () => {
      const { options, store } = await estate();
      const paths = ["/v1/status", "/v1/evidence", "/v1/plans", "/v1/no-such-path"];
      for (const path of paths) {
        const { status, body } = await ask(options, path, { authorization });
        assert.equal(status, 401, path);
        assert.equal(body.error.code, "UNAUTHORIZED");
        assert.match(body.error.next, /keys\/estate\.json/);
        assert.doesNotMatch(JSON.stringify(body), new RegExp(TOKEN));
      }
      const path = `/v1/workflows/${WORKFLOW}/failover`;
      assert.equal((await ask(options, path, { authorization, method: "POST" })).status, 401);
      assert.deepEqual(await store.list(KEYS.requests), []);
    });
  }

  test("is not needed to ask whether the controller lives", async () => {
    const { options } = await estate();
    const alive = await ask(options, "/healthz", { authorization: null });
    assert.deepEqual(alive, { status: 200, body: { ok: true } });
  });
});

describe("what is read", () => {
  test("status: the estate's, with what this controller thinks", async () => {
    const { options } = await estate({ [KEYS.intent(WORKFLOW)]: intent({ epoch: 9 }) });
    const { status, body } = await ask(options, "/v1/status");
    assert.equal(status, 200);
    assert.deepEqual(
      [body.estate, body.workflows[0].epoch, body.controller],
      ["sim", 9, { turn: "all is well" }],
    );
  });

  test("status: a report that stays the same grows old in this controller's eyes", async () => {
    const store = await storeWith({ [KEYS.report("agent:eu-west")]: report("eu-west") });
    const clock = new SimClock(NOW);
    const app = createApi(optionsWith(store, { clock }));
    const agent = async () => {
      const response = await app.request("/v1/status", {
        headers: { authorization: `Bearer ${TOKEN}` },
      });
      return JSON.parse(await response.text()).regions[0].agent;
    };
    assert.equal(await agent(), "reporting");
    await clock.advance(6_000);
    assert.equal(await agent(), "silent");
  });

  test("a runbook, and for an unknown workflow the known ones", async () => {
    const { options } = await estate();
    const found = await ask(options, `/v1/runbooks/${WORKFLOW}`);
    assert.deepEqual([found.status, found.body.workflow], [200, WORKFLOW]);
    for (const unknown of ["nobody", "toString"]) {
      assert.deepEqual(await ask(options, `/v1/runbooks/${unknown}`), {
        status: 404,
        body: {
          error: {
            code: "NOT_FOUND",
            message: `there is no workflow "${unknown}"`,
            next: `The spec has: ${WORKFLOW}.`,
          },
        },
      });
    }
  });

  test("plans with their journals", async () => {
    const { options } = await estate({
      [KEYS.plan("p1")]: plan("p1"),
      [KEYS.planState("p1")]: planState("p1"),
    });
    const { body } = await ask(options, "/v1/plans");
    assert.deepEqual(body, { plans: [plan("p1")], states: [planState("p1")] });
  });

  test("evidence, page by page", async () => {
    const { options } = await estate(record(5));
    const seqs = async (query: string) => {
      const { body } = await ask(options, `/v1/evidence${query}`);
      return body.entries.map(({ seq }: { seq: number }) => seq);
    };
    assert.deepEqual(await seqs("?after=3"), [4, 5]);
    assert.deepEqual(await seqs("?after=5"), []);
    // Whatever is no number begins at the beginning: more than was asked for, and nothing hidden.
    for (const query of ["", "?after=0", "?after=", "?after=x", "?after=-2", "?after=Infinity"])
      assert.deepEqual(await seqs(query), [1, 2, 3, 4, 5], query);
    assert.deepEqual(await seqs("?after=3.5"), [4, 5]);
  });
});

describe("a request for a move", () => {
  const path = (kind: string, workflow = WORKFLOW) => `/v1/workflows/${workflow}/${kind}`;
  const post = (body?: string): Asked => ({
    method: "POST",
    ...(body === undefined ? {} : { body }),
  });

  for (const kind of ["failover", "switchover", "failback"] as const) {
    test(`${kind}: is left in the store for whoever leads, and handed back`, async () => {
      const { options, store } = await estate();
      const asked = post(JSON.stringify({ to: "us-east", by: "alice" }));
      const { status, body } = await ask(options, path(kind), asked);
      assert.equal(status, 202);
      const request = { to: "us-east", by: "alice", kind, workflow: WORKFLOW, id: "r1", at: NOW };
      assert.deepEqual(body, request);
      const [entry, ...others] = await store.list(KEYS.requests);
      assert.deepEqual([entry?.key, entry?.value, others], [KEYS.request("r1"), request, []]);
      assert.deepEqual(operatorRequestSchema.parse(entry?.value), request);
    });
  }

  test("without a body lets the controller choose", async () => {
    const { options } = await estate();
    for (const body of [undefined, "", "{}"]) {
      const fresh = { ...options, newId: () => `r-${body}` };
      const answer = await ask(fresh, path("failover"), post(body));
      assert.equal(answer.status, 202);
      assert.deepEqual([answer.body.to, answer.body.by], [null, "operator"]);
    }
  });

  const refused: readonly (readonly [string, string, string, number, RegExp])[] = [
    ["an unknown workflow", path("failover", "nobody"), "{}", 404, /no workflow "nobody"/],
    ["a name of JavaScript's own", path("failover", "toString"), "{}", 404, /"toString"/],
    ["an unknown region", path("failover"), '{"to":"mars"}', 404, /no region "mars"/],
    ["no region but a member", path("failover"), '{"to":"toString"}', 404, /region "toString"/],
    // Taken as "no wishes", this would move the workflow to some other region than was meant.
    ["a torn body", path("failover"), '{"to":"us-east"', 400, /no JSON/],
    ["a body of another shape", path("failover"), "[]", 400, /object/],
    ["a misspelt member", path("failover"), '{"too":"us-east"}', 400, /too/],
    ["an unknown kind of move", path("evacuate"), "{}", 404, /no such path/],
  ];
  for (const [what, url, body, status, message] of refused) {
    test(`is refused for ${what}, and nothing is left`, async () => {
      const { options, store } = await estate();
      const answer = await ask(options, url, post(body));
      assert.equal(answer.status, status);
      assert.match(answer.body.error.message, message);
      assert.deepEqual(await store.list(KEYS.requests), []);
    });
  }

  test("whose number is taken does not overwrite the other, nor pretend to be left", async () => {
    const { options, store } = await estate();
    await ask(options, path("failover"), post('{"by":"alice"}'));
    const second = await ask(options, path("failover"), post('{"by":"bob"}'));
    assert.deepEqual([second.status, second.body.error.code], [500, "STORE_CONFLICT"]);
    const [entry] = await store.list(KEYS.requests);
    assert.equal(operatorRequestSchema.parse(entry?.value).by, "alice");
  });
});

describe("a request for another owner of an index", () => {
  const path = (index = "handbook") => `/v1/indexes/${index}/move`;

  test("is left in the store for whoever leads, and handed back", async () => {
    const { options, store } = await estate();
    const body = JSON.stringify({ to: "us-east", by: "alice", acceptLoss: true });
    const answer = await ask(options, path(), { method: "POST", body });
    const request = { index: "handbook", to: "us-east", by: "alice", acceptLoss: true };
    assert.deepEqual(answer, { status: 202, body: { ...request, id: "r1", at: NOW } });
    const [entry] = await store.list(KEYS.indexRequests);
    assert.deepEqual(indexRequestSchema.parse(entry?.value), answer.body);
  });

  test("without a body loses nothing, and lets the controller choose", async () => {
    const { options } = await estate();
    const { body } = await ask(options, path(), { method: "POST" });
    assert.deepEqual([body.to, body.by, body.acceptLoss], [null, "operator", false]);
  });

  const refused: readonly (readonly [string, string, string, number, RegExp])[] = [
    ["an unknown index", path("handbok"), "{}", 404, /no index "handbok"/],
    ["an unknown region", path(), '{"to":"mars"}', 404, /no region "mars"/],
    ["a misspelt member", path(), '{"acceptLosses":true}', 400, /acceptLosses/],
    ["a torn body", path(), '{"to":', 400, /no JSON/],
  ];
  for (const [what, url, body, status, message] of refused) {
    test(`is refused for ${what}, and nothing is left`, async () => {
      const { options, store } = await estate();
      const answer = await ask(options, url, { method: "POST", body });
      assert.equal(answer.status, status);
      assert.match(answer.body.error.message, message);
      assert.deepEqual(await store.list(KEYS.indexRequests), []);
    });
  }
});

describe("an error", () => {
  test("has a code and a message, on an unknown path as well", async () => {
    const { options } = await estate();
    assert.deepEqual(await ask(options, "/v1/nothing"), {
      status: 404,
      body: { error: { code: "NOT_FOUND", message: "no such path: /v1/nothing" } },
    });
  });

  test("of the store is 503, so that a caller comes back", async () => {
    const { options, store } = await estate();
    store.reachable = false;
    const { status, body } = await ask(options, "/v1/status");
    assert.deepEqual([status, body.error.code], [503, "STORE_UNAVAILABLE"]);
  });

  test("that nobody foresaw is 500 with its message, and without a stack", async () => {
    const { options } = await estate();
    const status = () => {
      throw new RangeError("out of luck");
    };
    const answer = await ask({ ...options, controller: { status } }, "/v1/status");
    assert.deepEqual(answer, {
      status: 500,
      body: { error: { code: "UNEXPECTED", message: "out of luck" } },
    });
  });
});

describe("the listening server", () => {
  test("answers at its address until it is closed, kept-alive connections included", async () => {
    const { options } = await estate();
    const api = await startApi(options);
    assert.equal((await fetch(`${api.url}/healthz`)).status, 200);
    await api.close();
    await assert.rejects(fetch(`${api.url}/healthz`));
  });

  test("says which address is taken, and what to do", async () => {
    const { options } = await estate();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    try {
      await assert.rejects(startApi({ ...options, port }), {
        code: "PORT_TAKEN",
        retry: "later",
        message: `cannot listen on 127.0.0.1:${port}: already in use`,
        next: /--listen/,
      });
    } finally {
      other.close();
    }
  });
});
