// The user hash at the edge: library, middleware and command line. Node.js 18 or newer.
//
// Usage: node userhash.js SALT ALPHABET DIGITS USER_ID...
"use strict";

// region: hash
const { createHash, createHmac } = require("node:crypto");

// Returns the user hash: the first digits of a digest of the salt and the user id.
// With a key the digest is HMAC-SHA-256, without one SHA-256.
function userHash(salt, userId, alphabet = "binary", digits = 10, key = "") {
  if (!salt || salt.includes(":")) {
    throw new RangeError("the salt must not be empty or contain a colon");
  }
  if (!userId) {
    throw new RangeError("the user id must not be empty");
  }
  if (!Number.isInteger(digits) || digits < 1 || digits > 32) {
    throw new RangeError("digits must be between 1 and 32");
  }
  const message = `${salt}:${userId}`;
  if (/\p{Surrogate}/u.test(message)) {
    throw new RangeError("half a surrogate pair has no UTF-8 form");
  }
  const hash = key ? createHmac("sha256", key) : createHash("sha256");
  const digest = hash.update(message, "utf8").digest();
  const head = digest.readBigUInt64BE(); // 64 bits
  switch (alphabet) {
    case "binary":
      return head.toString(2).padStart(64, "0").slice(0, digits);
    case "decimal":
      return ((head * 10n ** BigInt(digits)) >> 64n).toString().padStart(digits, "0");
    case "hex":
      return digest.toString("hex").slice(0, digits);
    default:
      throw new RangeError("the alphabet must be binary, decimal or hex");
  }
}
// endregion

// region: middleware
// Middleware for Express, Connect and node:http: the client's header goes, the computed
// one takes its place. Forward `req.headers`; `req.rawHeaders` keeps what the client sent.
function userHashMiddleware(salt, userIdOf) {
  userHash(salt, "probe"); // a bad salt stops the start, not the requests
  return (req, res, next) => {
    delete req.headers.userhash; // Node.js has joined repeated lines under this name
    const userId = userIdOf(req); // from the verified session or token, else undefined
    if (userId) {
      req.headers.userhash = userHash(salt, userId);
    }
    next();
  };
}
// endregion

// Prints one hash a line; prints nothing but the reason when anything is wrong.
function main(args) {
  try {
    if (args.length < 4) {
      throw new RangeError("usage: userhash SALT ALPHABET DIGITS USER_ID...");
    }
    const [salt, alphabet, digits, ...users] = args;
    if (!/^[0-9]{1,2}$/.test(digits)) {
      throw new RangeError("digits must be between 1 and 32");
    }
    const key = process.env.USERHASH_KEY ?? "";
    const hashes = users.map((user) => userHash(salt, user, alphabet, Number(digits), key));
    console.log(hashes.join("\n"));
  } catch (error) {
    if (!(error instanceof RangeError)) {
      throw error;
    }
    console.error(`userhash: ${error.message}`);
    process.exitCode = 2;
  }
}

module.exports = { userHash, userHashMiddleware };

if (require.main === module) {
  main(process.argv.slice(2));
}
