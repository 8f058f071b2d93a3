import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { eventually } from "../../test/support/estate.ts";
import {
  MemoryAudit,
  post,
  QUESTION,
  realClock,
  regionOf,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import * as raw from "../../test/support/raw-upstream.ts";
import { chunk, sse } from "../../test/support/upstream.ts";

/** Before a whole answer is given up for its silence alone, by the defaults: ten seconds. */
const SOON_MS = 4_000;
const USUAL_MS = 150;

describe("a target that falls silent", () => {
  let world: World;
  let audit: MemoryAudit;
  let second: raw.RawUpstream;
  let gateway: string;

  beforeEach(async () => {
    world = new World();
    audit = new MemoryAudit();
    second = await world.own(raw.startRaw("second"));
  });
  afterEach(() => world.end());

  describe("its process stopped", () => {
    let child: ChildProcess;
    let port: number;
    const fillers: Socket[] = [];

    beforeEach(async () => {
      child = fork(new URL("stopped.fixture.ts", import.meta.url));
      const exited = once(child, "exit");
      await world.own({
        close: async () => {
          for (const socket of fillers.splice(0)) socket.destroy();
          child.kill("SIGKILL");
          await exited;
        },
      });
      const [told] = await once(child, "message");
      port = Number(told);
      await started(`http://127.0.0.1:${port}`);
      await warm();
    });

    it("is found by its silence to a probe, and a whole answer is had elsewhere at once", async () => {
      child.kill("SIGSTOP");
      await movesSoon(/silent for \d+ ms, and a probe of it got no answer/);
    });

    it("is found when no connection to it is made any more", async () => {
      child.kill("SIGSTOP");
      await fillBacklog();
      await movesSoon(/silent for \d+ ms, and a probe of it got no answer/);
    });

    it("is ejected by the requests that failed there, and answers again when it goes on", async () => {
      child.kill("SIGSTOP");
      const from = performance.now();
      const answers = await Promise.all(Array.from({ length: 4 }, () => ask()));
      assert.ok(performance.now() - from < SOON_MS);
      for (const text of answers) assert.match(text, /the answer of second/);
      const shown = await target();
      assert.equal(shown.standing, "out");
      assert.match(shown.ejectedBecause ?? "", /failures in a row/);
      child.kill("SIGCONT");
      await eventually("it to be used again", async () => /of the process/.test(await ask()));
    });

    it("is waited for where nobody else can be asked", async () => {
      await started(`http://127.0.0.1:${port}`, { alone: true });
      await warm();
      child.kill("SIGSTOP");
      const asked = ask();
      // The first one showed that it answers probes; by the third, the second one's end is known.
      await eventually("it to be probed", async () => (await target()).probes >= 3);
      child.kill("SIGCONT");
      assert.match(await asked, /the answer of the process/);
    });

    async function fillBacklog(): Promise<void> {
      for (let full = false; !full; ) {
        const socket = connect({ port, host: "127.0.0.1" });
        socket.on("error", () => undefined);
        fillers.push(socket);
        full = await Promise.race([
          once(socket, "connect").then(() => false),
          realClock.sleep(200).then(() => true),
        ]);
      }
    }
  });

  describe("its connections open", () => {
    let first: raw.RawUpstream;

    beforeEach(async () => {
      first = await world.own(raw.startRaw("first"));
      first.otherwise = slowly("the answer of first");
      await started(first.url);
      await warm();
    });

    it("and its probe unanswered, is left at once", async () => {
      const asked = first.asked.length;
      first.script = [raw.accepts];
      first.alive = raw.accepts;
      await movesSoon(/and a probe of it got no answer/);
      assert.equal(first.asked.length, asked + 1, "it is not asked again");
    });

    it("but answering its probe, is waited for: it thinks", async () => {
      first.script = [(socket, asked) => setTimeout(() => SOUND(socket, asked), 1_500)];
      assert.match(await ask(), /after long thought/);
      assert.equal(second.asked.length, 0);
      const { failed, probes } = await target();
      assert.deepEqual([failed, probes, first.probed], [0, probes, probes]);
      // One where the machine stood still in between.
      assert.ok(probes >= 1 && probes <= 4, `${probes} probes in two seconds`);
    });

    it("but refusing its probe, is waited for: it ends what it has begun", async () => {
      first.alive = raw.resets;
      first.script = [(socket, asked) => setTimeout(() => SOUND(socket, asked), 1_500)];
      assert.match(await ask(), /after long thought/);
    });

    it("but telling another request its answer meanwhile, is not even probed", async () => {
      const { probes } = await target();
      first.alive = raw.accepts;
      let end = (): void => undefined;
      first.script = [
        (socket) => {
          socket.write(raw.head(200, STREAM));
          const say = () => raw.writeChunk(socket, sse(chunk({ content: "on " })));
          const timer = setInterval(say, 50);
          end = () => {
            clearInterval(timer);
            raw.writeChunk(socket, sse(chunk({}, "stop")) + sse("[DONE]"));
            socket.write("0\r\n\r\n");
          };
        },
        (socket, asked) => setTimeout(() => SOUND(socket, asked), 1_500),
      ];
      const stream = post(gateway, { ...QUESTION, stream: true });
      const response = await stream;
      assert.match(await ask(), /after long thought/);
      end();
      await response.text();
      assert.equal((await target()).probes, probes);
    });

    it("in the middle of a stream, is left too, and the stream is told to its end", async () => {
      first.alive = raw.accepts;
      first.script = [
        (socket) => {
          socket.write(raw.head(200, STREAM));
          raw.writeChunk(socket, sse(chunk({ role: "assistant", content: "the answer " })));
        },
      ];
      const from = performance.now();
      const text = await (await post(gateway, { ...QUESTION, stream: true })).text();
      assert.ok(performance.now() - from < SOON_MS);
      assert.match(text, /the answer .*of second.*\[DONE\]/s);
      assert.equal(text.split("the answer ").length, 2, "nothing is told twice");
    });

    it("shows its probes, and counts them as nobody's requests", async () => {
      const page = await (await fetch(`${gateway}/metrics`)).text();
      const { probes, succeeded } = await target();
      assert.ok(probes >= 1);
      assert.match(page, new RegExp(`target_probes\\{target="target-1"\\} ${probes}\n`));
      const { length } = audit.records;
      assert.deepEqual([succeeded, first.asked.length], [length, length]);
    });
  });

  it("is never probed where its operator says so", async () => {
    const first = await world.own(raw.startRaw("first"));
    first.otherwise = slowly("the answer of first");
    await started(first.url, { probe: "none" });
    await Promise.all(Array.from({ length: 8 }, () => ask()));
    assert.equal(first.probed, 0);
  });

  interface Setup {
    readonly alone?: boolean;
    readonly probe?: string;
  }

  async function started(url: string, { alone = false, probe }: Setup = {}): Promise<void> {
    const region = regionOf("http://127.0.0.1:9", ...(alone ? [url] : [url, second.url]));
    const targets = region.targets.map((one) => (probe === undefined ? one : { ...one, probe }));
    const snapshots = await world.holder(
      snapshotOf({ regions: { "eu-west": { ...region, targets } } }),
    );
    const options = { region: "eu-west", snapshots, audit, random: () => 0 };
    gateway = (await world.gateway(options)).url;
  }

  /** So that what is normal for it is known, and that it answers a probe while it works. */
  async function warm(): Promise<void> {
    await eventually("a probe to be answered", async () => {
      await Promise.all(Array.from({ length: 8 }, () => ask()));
      return (await target()).probeMs !== null;
    });
    assert.equal(second.asked.length, 0);
  }

  async function movesSoon(why: RegExp): Promise<void> {
    const from = performance.now();
    assert.match(await ask(), /the answer of second/);
    const tookMs = performance.now() - from;
    assert.ok(tookMs < SOON_MS, `it took ${Math.round(tookMs)} ms`);
    const [tried] = audit.records.at(-1)?.attempts ?? [];
    assert.match(tried?.outcome ?? "", why);
  }

  async function ask(): Promise<string> {
    return (await post(gateway, QUESTION)).text();
  }

  interface Shown {
    readonly name: string;
    readonly standing: string;
    readonly ejectedBecause: string | null;
    readonly probes: number;
    readonly probeMs: number | null;
    readonly failed: number;
    readonly succeeded: number;
  }

  async function target(): Promise<Shown> {
    const response = await fetch(`${gateway}/tideover/v1/status`);
    const { targets } = (await response.json()) as { targets: Shown[] };
    return targets.find(({ name }) => name === "target-1") ?? assert.fail("it is not shown");
  }
});

const STREAM = { "content-type": "text/event-stream", "transfer-encoding": "chunked" };
const SOUND = raw.sound("after long thought");

function slowly(text: string): raw.RawAnswer {
  return (socket, asked) => setTimeout(() => raw.sound(text)(socket, asked), USUAL_MS);
}
