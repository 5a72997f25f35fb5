// People who sign in, use an app and sign out, over and over, while the server dies and comes back.
import { Cut, Person, Unexpected, digest } from './person.mjs';

/** Random numbers that a seed brings back: mulberry32. */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Runs `count` lives in parallel until `stage.over`; what was answered goes into `book`. */
export function live(world, stage, book, count, random) {
  return Promise.all(Array.from({ length: count }, (_, worker) => one(world, stage, book, worker, random)));
}

async function one(world, stage, book, worker, random) {
  const names = [];
  for (let visit = 0; !stage.over; visit++) {
    // Every third visit is by somebody who was here before: she must be the same account.
    const known = visit % 3 === 2 && names.length > 0;
    const name = known ? names[Math.floor(random() * names.length)] : `p${worker}x${visit}`;
    try {
      await visitOf(world, stage, book, name, random);
      names.push(name);
    } catch (error) {
      if (error instanceof Unexpected) book.faults.push(error.message);
      else if (!(error instanceof Gone)) throw error;
    }
  }
}

/** The test is over, or the product may rightly have forgotten what was going on. */
class Gone extends Error {}

async function visitOf(world, stage, book, name, random) {
  let person;
  await untilAnswered(stage, book, async () => {
    person = new Person(world, name);
    await person.signIn();
    book.sessions.add(person.sessionDigest);
  });
  await once(stage, book, () => person.redeem());
  book.codes.add(digest(person.code));
  book.account(name, person.claims);
  book.refreshToken(person.tokens.refresh_token, 0);
  const rotations = Math.floor(random() * 4);
  for (let rotation = 1; rotation <= rotations; rotation++) {
    // The answer that a crash took away is given again, once (RFC 9700 4.14.2); after a second crash that cannot be told apart from theft.
    await withRepeats(stage, book, 1, () => person.refresh());
    book.refreshToken(person.tokens.refresh_token, rotation);
  }
  const end = random();
  if (end < 0.3) await signOut(stage, book, person);
  else if (end < 0.5) await revoke(stage, book, person);
}

async function signOut(stage, book, person) {
  const session = person.sessionDigest;
  // Whether a cut sign-out happened is for nobody to say.
  (book.ending ??= new Set()).add(session);
  await once(stage, book, () => person.signOut());
  book.signedOut.add(session);
}

async function revoke(stage, book, person) {
  const token = person.tokens.refresh_token;
  await untilAnswered(stage, book, async () => {
    const answer = await person.app('/oauth2/revoke', { token });
    if (answer.status !== 200) throw new Unexpected(`revoke: ${answer.status} ${answer.text}`);
  });
  book.revoked.add(digest(token));
}

/** Does something again and again until an answer arrives. */
function untilAnswered(stage, book, work) {
  return withRepeats(stage, book, Infinity, work);
}

function once(stage, book, work) {
  return withRepeats(stage, book, 0, work);
}

async function withRepeats(stage, book, repeats, work) {
  for (let repeat = 0; ; repeat++) {
    await stage.up();
    if (stage.over) throw new Gone();
    try {
      const done = await work();
      book.answered += 1;
      return done;
    } catch (error) {
      if (!(error instanceof Cut)) throw error;
      book.cut += 1;
      if (repeat >= repeats) throw new Gone();
    }
  }
}
