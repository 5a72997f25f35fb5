// Everything that the product has acknowledged to somebody, to be compared with its database at the end.
import { digest } from './person.mjs';

export class Book {
  /** Session digests with a cookie that arrived. */
  sessions = new Set();
  /** Session digests that were signed out, with an answer that arrived. */
  signedOut = new Set();
  /** Account ids by person, from ID tokens that arrived. */
  accounts = new Map();
  /** Digests of codes that were exchanged, with an answer that arrived. */
  codes = new Set();
  /** Digests of refresh tokens that arrived: how many rotations came before each. */
  refreshTokens = new Map();
  /** Digests of refresh tokens that were revoked, with an answer that arrived. */
  revoked = new Set();
  /** How many requests were cut off, and how many answers arrived. */
  cut = 0;
  answered = 0;
  /** What should not have been answered to an honest person. */
  faults = [];

  account(person, { sub }) {
    const known = this.accounts.get(person) ?? sub;
    if (known !== sub) this.faults.push(`${person} was ${known} and is now ${sub}`);
    this.accounts.set(person, sub);
  }

  refreshToken(token, rotations) {
    this.refreshTokens.set(digest(token), rotations);
  }

  /** What was acknowledged and is not in the database, or not as acknowledged. */
  missing(table) {
    const found = [...this.faults];
    const lack = (what, keys, rows, column, isRight = () => true) => {
      const byKey = new Map(rows.map((row) => [row[column], row]));
      for (const key of keys) {
        const row = byKey.get(key);
        if (!row) found.push(`lost: ${what} ${key}`);
        else if (!isRight(row, key)) found.push(`undone: ${what} ${key}`);
      }
    };
    lack('session', this.sessions, table('sessions'), 'digest', (row, key) => row.revoked_at === null || this.signedOut.has(key) || this.ending?.has(key));
    lack('sign-out', this.signedOut, table('sessions'), 'digest', (row) => row.revoked_at !== null);
    lack('account', this.accounts.values(), table('accounts'), 'id', (row) => row.status === 'active');
    lack('code exchange', this.codes, table('authorization_codes'), 'digest', (row) => row.used_at !== null);
    lack('refresh token', this.refreshTokens.keys(), table('refresh_tokens'), 'digest', (row, key) => row.generation === this.refreshTokens.get(key) + 1);
    lack('revocation', this.revoked, table('refresh_tokens'), 'digest', (row) => row.revoked_at !== null);
    return found;
  }
}
