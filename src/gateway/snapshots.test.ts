import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  handClock,
  ROUTE,
  realClock,
  signingKey,
  signSnapshot,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import { SnapshotHolder } from "./snapshots.ts";

describe("a snapshot holder", () => {
  let world: World;
  let file: string;
  let holder: SnapshotHolder;
  const fresh = (): SnapshotHolder =>
    SnapshotHolder.signed({
      estate: "test",
      region: "eu-west",
      verifyRelease: () => null,
      file,
      trusted: [world.key.publicPem],
      clock: realClock,
    });

  beforeEach(async () => {
    world = new World();
    file = join(await world.folder(), "state", "snapshot.json");
    holder = fresh();
  });
  afterEach(() => world.end());

  it("serves what it adopted again after a restart", async () => {
    assert.deepEqual(await holder.offer(world.sign(snapshotOf({ number: 7 }))), {
      adopted: true,
      number: 7,
    });
    const restarted = fresh();
    assert.equal(await restarted.load(), null);
    assert.deepEqual(restarted.current(), snapshotOf({ number: 7 }));
    assert.deepEqual(restarted.signed(), holder.signed());
  });

  it("refuses what is not newer, and says what it has", async () => {
    await holder.offer(world.sign(snapshotOf({ number: 7 })));
    for (const number of [7, 6]) {
      const offer = await holder.offer(world.sign(snapshotOf({ number })));
      assert.deepEqual(offer, {
        adopted: false,
        number: 7,
        reason: `its number ${number} is not above the present 7`,
      });
    }
    assert.match(holder.lastError ?? "", /number 6 is not above/);
    await holder.offer(world.sign(snapshotOf({ number: 8 })));
    assert.equal(holder.lastError, null);
  });

  it("refuses a stranger's signature, another estate, and empty or impossible tables", async () => {
    await holder.offer(world.sign(snapshotOf()));
    const lost = { ...ROUTE, serving: ["mars"] };
    const refused = [
      [signSnapshot(snapshotOf({ number: 2 }), signingKey()), /no trusted key/],
      [{ ...world.sign(snapshotOf({ number: 2 })), payload: "{}" }, /no trusted key/],
      [world.sign(snapshotOf({ number: 2, estate: "other" })), /of the estate other/],
      [world.sign(snapshotOf({ number: 2, workflows: {} })), /no workflows/],
      [world.sign(snapshotOf({ number: 2, tenants: {} })), /no tenants/],
      [world.sign(snapshotOf({ number: 2, regions: {} })), /no regions/],
      [world.sign(snapshotOf({ number: 2, workflows: { a: lost } })), /served by mars/],
      [world.sign({ ...snapshotOf({ number: 2 }), maxBodyBytes: "x" } as never), /maxBodyBytes/],
    ] as const;
    for (const [signed, reason] of refused) {
      const offer = await holder.offer(signed);
      assert.equal(offer.adopted, false);
      assert.match(offer.adopted ? "" : offer.reason, reason);
    }
    assert.deepEqual(holder.current(), snapshotOf());
  });

  it("puts a tampered file aside, says so, and goes on without", async () => {
    await holder.offer(world.sign(snapshotOf({ number: 7 })));
    const kept = await readFile(file, "utf8");
    await writeFile(file, kept.replace("us-east", "us-evil"));
    const restarted = fresh();
    const error = await restarted.load();
    assert.equal(error?.code, "SNAPSHOT_REFUSED");
    assert.equal(restarted.current(), null);
    assert.match(restarted.lastError ?? "", /no trusted key/);
    assert.deepEqual(await readdir(join(file, "..")), ["snapshot.json.refused"]);
    assert.equal((await restarted.offer(world.sign(snapshotOf({ number: 7 })))).adopted, true);
  });

  it("says of a file of another version what it is, and what to do", async () => {
    const { regions, ...rest } = snapshotOf({ number: 7 });
    const older = { ...rest, regions, release: "one for all", releases: undefined };
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, JSON.stringify(world.sign(older as never)));
    const restarted = fresh();
    const error = await restarted.load();
    assert.equal(error?.code, "SNAPSHOT_REFUSED");
    assert.match(error?.message ?? "", /another version of Tideover wrote it: releases: /);
    assert.match(error?.next ?? "", /Start a controller of this version.*move that file back/);
    assert.equal(restarted.current(), null);
    assert.equal((await restarted.offer(world.sign(snapshotOf({ number: 8 })))).adopted, true);
  });

  it("does not serve what it could not keep", async () => {
    await mkdir(`${file}.new`, { recursive: true });
    const offer = await holder.offer(world.sign(snapshotOf()));
    assert.equal(offer.adopted, false);
    assert.match(offer.adopted ? "" : offer.reason, /cannot keep the snapshot/);
    assert.equal(holder.current(), null);
  });

  it("ends at the highest number when many are offered at once", async () => {
    const numbers = [3, 9, 1, 7, 9, 2];
    const offers = await Promise.all(
      numbers.map((number) => holder.offer(world.sign(snapshotOf({ number })))),
    );
    assert.deepEqual(
      offers.map(({ adopted }) => adopted),
      [true, true, false, false, false, false],
    );
    assert.equal(holder.number, 9);
    const restarted = fresh();
    await restarted.load();
    assert.equal(restarted.number, 9);
  });

  it("wakes who waits for a newer one, and nobody else", async () => {
    const clock = handClock();
    const watched = await world.holder(snapshotOf({ number: 1 }), clock);
    const never = new AbortController();
    const waiting = watched.waitForChange(1, 1_000, never.signal);
    await watched.offer(world.sign(snapshotOf({ number: 2 })));
    assert.equal((await waiting)?.number, 2);
    assert.equal((await watched.waitForChange(1, 1_000, never.signal))?.number, 2);

    const late = watched.waitForChange(2, 1_000, never.signal);
    clock.forward(1_000);
    assert.equal(await late, null);
    const given = watched.waitForChange(2, 1_000, never.signal);
    never.abort();
    assert.equal(await given, null);
  });

  it("alone, serves its spec and takes nothing else", async () => {
    const alone = SnapshotHolder.standalone(snapshotOf(), "eu-west", realClock);
    assert.equal((await alone.offer(world.sign(snapshotOf({ number: 9 })))).adopted, false);
    assert.deepEqual(alone.current(), snapshotOf());
    assert.equal(alone.signed(), null);
  });
});
