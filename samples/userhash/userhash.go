// The user hash at the edge: library, middleware and command line.
//
// Usage: go run userhash.go SALT ALPHABET DIGITS USER_ID...
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// region: hash

// UserHash returns the first digits of a digest of the salt and the user id.
// With a key the digest is HMAC-SHA-256, without one SHA-256.
func UserHash(salt, userID, alphabet string, digits int, key string) (string, error) {
	if salt == "" || strings.Contains(salt, ":") {
		return "", errors.New("the salt must not be empty or contain a colon")
	}
	if userID == "" {
		return "", errors.New("the user id must not be empty")
	}
	if digits < 1 || digits > 32 {
		return "", errors.New("digits must be between 1 and 32")
	}
	message := salt + ":" + userID
	if !utf8.ValidString(message) {
		return "", errors.New("not UTF-8")
	}
	hash := sha256.New()
	if key != "" {
		hash = hmac.New(sha256.New, []byte(key))
	}
	hash.Write([]byte(message))
	digest := hash.Sum(nil)
	head := binary.BigEndian.Uint64(digest) // 64 bits
	switch alphabet {
	case "binary":
		return fmt.Sprintf("%064b", head)[:digits], nil
	case "decimal":
		// head / 2^64 is a fraction: times ten, the part before the point is a digit.
		out := make([]byte, digits)
		for i := range out {
			var digit uint64
			digit, head = bits.Mul64(head, 10)
			out[i] = '0' + byte(digit)
		}
		return string(out), nil
	case "hex":
		return hex.EncodeToString(digest)[:digits], nil
	}
	return "", errors.New("the alphabet must be binary, decimal or hex")
}

// endregion

// region: middleware

// Middleware removes the client's header and sets the computed one.
// userID returns the id from the verified session or token, or "".
func Middleware(salt string, userID func(*http.Request) string, next http.Handler) http.Handler {
	if _, err := UserHash(salt, "probe", "binary", 10, ""); err != nil {
		panic(err) // a bad salt stops the start, not the requests
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("userhash") // every line of it, in any case
		if hash, err := UserHash(salt, userID(r), "binary", 10, ""); err == nil {
			r.Header.Set("userhash", hash)
		}
		next.ServeHTTP(w, r)
	})
}

// endregion

// run returns one hash a line, or the reason why there is none.
func run(args []string, key string) (string, error) {
	if len(args) < 4 {
		return "", errors.New("usage: userhash SALT ALPHABET DIGITS USER_ID...")
	}
	if !regexp.MustCompile(`^[0-9]{1,2}$`).MatchString(args[2]) {
		return "", errors.New("digits must be between 1 and 32")
	}
	digits, err := strconv.Atoi(args[2])
	if err != nil {
		return "", err
	}
	var lines strings.Builder
	for _, user := range args[3:] {
		hash, err := UserHash(args[0], user, args[1], digits, key)
		if err != nil {
			return "", err
		}
		lines.WriteString(hash + "\n")
	}
	return lines.String(), nil
}

func main() {
	lines, err := run(os.Args[1:], os.Getenv("USERHASH_KEY"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "userhash:", err)
		os.Exit(2)
	}
	fmt.Print(lines)
}
