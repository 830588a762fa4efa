package console

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/url"

	"github.com/google/uuid"
)

// What names a person must not stand in an address, which ends up in histories and
// in the logs of proxies; and a page that was asked for by a form cannot be loaded
// again or gone back to. So such a query travels in the address sealed, under a key
// that derives from the reader's own token: no key to keep, any instance can open
// it, and nobody else can.

func sealer(token string) cipher.AEAD {
	key := sha256.Sum256([]byte("makegood console address\n" + token))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// seal hides values for the bearer of the token.
func seal(token string, values url.Values) string {
	aead := sealer(token)
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // it never fails
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, []byte(values.Encode()), nil))
}

// unseal opens what seal hid; false when it was not for this token.
func unseal(token, sealed string) (url.Values, bool) {
	aead := sealer(token)
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || len(raw) < aead.NonceSize() {
		return nil, false
	}
	text, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], nil)
	if err != nil {
		return nil, false
	}
	values, err := url.ParseQuery(string(text))
	return values, err == nil
}

// newKey is an idempotency key, minted with the form that it travels in: however
// often that form is sent, it is one wish.
func newKey() string { return uuid.NewString() }
