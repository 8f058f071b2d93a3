import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { embedded, INDEX } from "../../test/support/agent-world.ts";
import { bareWorld } from "../../test/support/bare-world.ts";
import { packEntries } from "../core/reconcile/packed-records.ts";
import type { LogEntry } from "../model/change.ts";
import { ENTRIES_MEDIA } from "../model/index-snapshot.ts";
import type { Ownership } from "../model/intent.ts";
import type { Position } from "../model/position.ts";
import { MemoryIndex } from "../sim/index.ts";
import { HEADERS } from "../wire/headers.ts";
import type { LocalIndex } from "./local-index.ts";
import { followStream } from "./pull-pages.ts";
import type { World } from "./world.ts";

/** The stream's side of a replica, on a clock that only the owner's answers move. */

const OWNER: Ownership = { index: INDEX, epoch: 4, region: "eu-west", frozen: false };
/** What each question to the owner takes, for it answers when something comes or time is over. */
const ROUND_MS = 400;

let now: number;
let owner: MemoryIndex;
let own: MemoryIndex;
let world: World;
let local: LocalIndex;
/** What the owner answers, one after another; the last one for ever. */
let answers: (() => Promise<{ entries: LogEntry[]; position: Position }>)[];
/** When each question was put. */
let asked: number[];

const fails = (): never => assert.fail("not asked");

beforeEach(async () => {
  now = 10_000;
  asked = [];
  answers = [];
  owner = new MemoryIndex();
  own = new MemoryIndex();
  await owner.append(OWNER.epoch, [embedded("a")]);
  await own.apply(await owner.entriesAfter(0, 9));
  world = bareWorld(own, { monotonic: () => now, bulk: { get: answer } });
  world.book.obey(OWNER);
  local = world.index(INDEX);
  local.wasLevel(now, OWNER.epoch);
});

async function answer() {
  asked.push(now);
  const next = answers.length > 1 ? answers.shift() : answers[0];
  const { entries, position } = (await next?.()) ?? fails();
  now += ROUND_MS;
  const headers = { "content-type": ENTRIES_MEDIA, [HEADERS.position]: JSON.stringify(position) };
  return { status: 200, headers, body: packEntries(entries, 1_000_000) };
}

const silence = async () => ({ entries: [], position: await owner.position() });

async function news() {
  const { seq } = await owner.position();
  await owner.append(OWNER.epoch, [embedded(`n${seq}`)]);
  return { entries: await owner.entriesAfter(seq, 9), position: await owner.position() };
}

async function follow(forMs: number): Promise<boolean> {
  return followStream(world, local, OWNER, await own.position(), now + forMs);
}

describe("a copy that follows its owner's stream", () => {
  test("was level when it last asked, however long it has been streaming", async () => {
    answers = [silence];
    assert.equal(await follow(10 * ROUND_MS), true);
    assert.equal(asked.length, 10);
    // Not the 4 s since the stream began: a change that comes now is not 4 s late.
    assert.equal(local.levelForMs(now, OWNER.epoch), ROUND_MS);
    local.sawOwner({ ...(await owner.position()), seq: 99, sourceTime: 9_000_000 }, now);
    assert.equal((await local.state(now)).lagMs, ROUND_MS);
  });

  test("is level with what it has just applied, from when it asked for it", async () => {
    answers = [news, news, silence];
    await follow(3 * ROUND_MS);
    assert.deepEqual(await own.position(), await owner.position());
    assert.equal((await own.position()).seq, 3);
    assert.equal(local.levelForMs(now, OWNER.epoch), ROUND_MS);
  });

  test("is not level while the owner has more than it sent", async () => {
    const ahead = async () => {
      const page = await news();
      return { ...page, position: { ...page.position, seq: page.position.seq + 5 } };
    };
    answers = [silence, ahead];
    await follow(3 * ROUND_MS);
    // The first question's answer was the last that found both level.
    assert.equal(local.levelForMs(now, OWNER.epoch), now - (asked[0] ?? 0));
  });

  test("is not level with another history, and leaves the stream to who looks at both logs", async () => {
    answers = [
      silence,
      async () => ({
        entries: [],
        position: { ...(await owner.position()), digest: "f".repeat(32) },
      }),
    ];
    assert.equal(await follow(9 * ROUND_MS), false);
    assert.equal(asked.length, 2);
    assert.equal(local.levelForMs(now, OWNER.epoch), now - (asked[0] ?? 0));
  });

  test("stops following an owner that is none any more, and is level with nobody then", async () => {
    answers = [
      silence,
      async () => {
        world.book.obey({ ...OWNER, epoch: 5, region: "ap-south" });
        return news();
      },
    ];
    assert.equal(await follow(9 * ROUND_MS), false);
    assert.equal((await own.position()).seq, 1, "nothing of the former owner is applied");
    assert.equal(local.levelForMs(now, 5), null);
  });
});
